//! Where the programs under test are: `cargo xtask test` builds them and says so.

use std::path::{Path, PathBuf};

use anyhow::Context;

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

/// One of podid's programs that was built together with this one.
///
/// # Errors
/// When it is not beside this one.
pub fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(
        program.exists(),
        "{name} is not beside this program: run it by `cargo xtask`, which builds both"
    );
    Ok(program)
}

/// The memory that a process uses, in KiB.
///
/// # Errors
/// When it has ended.
pub fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes.context("VmRSS")?.parse()?)
}

/// The root of the clone that this program was started in: a copied clone keeps programs that were
/// compiled in another one. Outside of any clone, the working directory.
#[must_use]
pub fn repository() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(|folder| is_root(folder));
    root.unwrap_or(&here).to_path_buf()
}

fn is_root(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file() && folder.join("xtask/Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_the_clone_around_the_working_directory() {
        let here = std::env::current_dir().expect("a working directory");
        assert_eq!(Some(repository().as_path()), here.parent());
    }
}
