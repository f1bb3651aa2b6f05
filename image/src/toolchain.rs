//! The compilers that this machine has: what an image depends on besides the sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What the programs are built for. glibc's own archive is linked in, so that an image needs no base.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A Rust and a C toolchain that can build static programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// Version of Rust, as `1.95.0`.
    pub(crate) rust: String,
    /// The commit that Rust was built from, which is in the paths of its library.
    pub(crate) rust_commit: String,
    /// Version of the C library, as `2.36`.
    pub(crate) libc: String,
    /// Where Rust is installed.
    pub(crate) sysroot: PathBuf,
}

impl Toolchain {
    /// Asks the programs on `PATH`; rustup picks the version that `sources` pin.
    pub(crate) fn find(sources: &Path) -> Result<Self> {
        let verbose = print(Command::new("rustc").arg("-vV").current_dir(sources))?;
        let host = field(&verbose, "host")?;
        ensure!(
            host == TARGET,
            "images are built on x86-64 Linux with the GNU C library, and this Rust is for {host}: \
             build them on such a machine"
        );
        let sysroot = print(
            Command::new("rustc")
                .args(["--print", "sysroot"])
                .current_dir(sources),
        )?;
        check_static_libc()?;
        let libc = print(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
        Ok(Self {
            rust: field(&verbose, "release")?.to_owned(),
            rust_commit: field(&verbose, "commit-hash")?.to_owned(),
            libc: libc.trim().trim_start_matches("glibc ").to_owned(),
            sysroot: PathBuf::from(sysroot.trim()),
        })
    }
}

/// A C compiler that finds no file prints the name as it was asked for.
fn check_static_libc() -> Result<()> {
    let found = print(Command::new("cc").arg("-print-file-name=libc.a")).context(
        "a C compiler is needed: install gcc (Debian: `apt-get install build-essential`)",
    )?;
    ensure!(
        Path::new(found.trim()).is_absolute(),
        "the C library has no libc.a to link in: install it (Debian: libc6-dev; Fedora: glibc-static)"
    );
    Ok(())
}

/// A line `NAME: VALUE` of `rustc -vV`.
fn field<'a>(verbose: &'a str, name: &str) -> Result<&'a str> {
    verbose
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .with_context(|| format!("`rustc -vV` does not tell its {name}"))
}

/// What a command prints.
pub(crate) fn print(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start `{program}`: is it installed and on PATH?"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next_back().unwrap_or("no word why");
        bail!("`{program}` ended with {}: {said}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{program}` prints no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_rustc_are_read_by_their_whole_name() {
        let verbose = "rustc 1.95.0\nhost: a-b\ncommit-hash: c\nrelease: 1.95.0\n";
        assert_eq!(field(verbose, "release").unwrap(), "1.95.0");
        assert_eq!(field(verbose, "host").unwrap(), "a-b");
        assert!(field(verbose, "commit").is_err());
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_named() {
        let said = |command: &mut Command| format!("{:#}", print(command).unwrap_err());
        assert!(said(&mut Command::new("no-such-compiler")).contains("`no-such-compiler`"));
        let failing = said(Command::new("sh").args(["-c", "echo why >&2; exit 3"]));
        assert!(
            failing.contains("`sh` ended with exit status: 3: why"),
            "{failing}"
        );
    }
}
