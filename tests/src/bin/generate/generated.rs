//! A generated file.

use std::path::PathBuf;

/// Where a generated file is in the repository, and what it must hold.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) path: PathBuf,
    pub(crate) content: String,
}
