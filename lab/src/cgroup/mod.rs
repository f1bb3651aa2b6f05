//! The lab's part of the cgroup tree: of version 2 always, of version 1 where containers need it.

mod controllers;
mod directory;
mod error;
mod mounts;

pub use controllers::Controllers;
pub use directory::{create, join, of_lab, remove};
pub use error::CgroupError;
pub use mounts::{Hierarchy, root};
