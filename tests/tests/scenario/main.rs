//! The whole path, from a commit to a token and back, as a user walks it.

mod demo;
mod docs;
