//! Where the programs under test are: `cargo xtask test` builds them and says so.

use std::path::{Path, PathBuf};

use crate::python;

/// Folder of podid's own programs.
///
/// # Panics
///
/// When the tests were not started by `cargo xtask test`, which builds them.
#[must_use]
#[allow(clippy::panic)]
pub fn folder() -> PathBuf {
    match std::env::var_os("PODID_TEST_PROGRAMS") {
        Some(folder) => PathBuf::from(folder),
        None => panic!("PODID_TEST_PROGRAMS is not set: run this ring with `cargo xtask test`"),
    }
}

/// One of podid's programs.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    folder().join(name)
}

/// The interpreter that has the Azure SDKs for Python.
///
/// # Panics
///
/// When they cannot be installed.
#[must_use]
#[allow(clippy::panic)]
pub fn python() -> PathBuf {
    match python::interpreter() {
        Ok(python) => python,
        Err(error) => panic!("{error:#}"),
    }
}

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
