//! The clone that this run is about. It is looked for at run time: a clone that was copied or moved
//! with its build folder keeps the programs that were compiled in the other one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Makes the clone's root the working directory, in which every command runs.
pub(crate) fn enter() -> Result<()> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = find(package.as_deref(), &here).with_context(|| {
        format!(
            "{} is not in a clone of podid: change to one and run `cargo xtask` there",
            here.display()
        )
    })?;
    std::env::set_current_dir(root)
        .with_context(|| format!("cannot enter the clone at {}", root.display()))
}

/// The innermost clone around `package`, which `cargo run` names, or else around `here`.
fn find<'a>(package: Option<&'a Path>, here: &'a Path) -> Option<&'a Path> {
    let mut starts = package.into_iter().chain([here]);
    starts.find_map(|start| start.ancestors().find(|folder| is_root(folder)))
}

fn is_root(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file() && folder.join("xtask/Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clone_is_where_cargo_or_the_shell_is_and_not_where_it_was_compiled() {
        let package = Path::new("no/such/package");
        let here = std::env::current_dir().expect("a working directory");
        let root = here.parent().expect("the root is above xtask");
        assert_eq!(find(None, &here), Some(root));
        assert_eq!(find(Some(package), &here), Some(root));
        assert_eq!(find(Some(&here), Path::new("/")), Some(root));
        assert_eq!(find(None, Path::new("/")), None);
    }
}
