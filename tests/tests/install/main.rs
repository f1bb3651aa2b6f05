//! What is installed: the container images, and pushing them to a real registry. Needs root.

// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

mod bare;
mod contents;
mod fixture;
mod names;
mod push;
mod refusals;
mod registry;
mod reproducible;
