//! Where the program `podid-lab` is, which every process of a lab runs.

use std::path::PathBuf;

/// Why the program is not known.
#[derive(Debug, thiserror::Error)]
pub enum ExecutableError {
    /// It is not where builds put it.
    #[error(
        "the program podid-lab is not beside {0}; build it with `cargo build --workspace --bins`, or name it in PODID_LAB_BIN"
    )]
    Missing(PathBuf),
    /// The kernel does not say which program this process runs.
    #[error("cannot find the program of this process")]
    Unknown(#[source] std::io::Error),
}

/// The path in `PODID_LAB_BIN`, else the program `podid-lab` beside the running one or a directory
/// above it: cargo puts test programs one directory below the others.
pub(crate) fn find() -> Result<PathBuf, ExecutableError> {
    if let Some(named) = std::env::var_os("PODID_LAB_BIN") {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe().map_err(ExecutableError::Unknown)?;
    let mut beside = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("podid-lab"));
    let found = beside.find(|path| path.is_file());
    found.ok_or(ExecutableError::Missing(own))
}
