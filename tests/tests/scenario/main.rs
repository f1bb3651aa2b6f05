//! The whole path, from a commit to a token and back, as a user walks it.
#![allow(clippy::expect_used)]

mod demo;
mod docs;
mod full_disk;
mod install;
