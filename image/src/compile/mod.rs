//! Building static programs, so that nothing of the folders they are built in gets into them.

mod flags;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

use crate::checkout::Checkout;
use crate::programs::ShippedProgram;
use crate::toolchain::{TARGET, Toolchain};
use crate::ui;

/// The profile in the root's Cargo.toml.
const PROFILE: &str = "image";

/// Variables by which a user's own settings would change what is built; a name that ends with `_` stands for
/// all that begin with it.
const NOT_INHERITED: [&str; 12] = [
    "AWS_LC_",
    "CARGO_BUILD_",
    "CARGO_ENCODED_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CC_",
    "CFLAGS",
    "CXXFLAGS",
    "INSTA_",
    "LIBGIT2_",
    "PODID_",
    "RUSTFLAGS",
];

/// A folder in which programs are built: a copy of the sources, and what cargo makes of it. It stays, so
/// that dependencies are built once.
#[derive(Debug)]
pub(crate) struct Workshop {
    source: PathBuf,
    target: PathBuf,
    /// Held while anything is built or read here.
    _lock: File,
}

impl Workshop {
    /// The workshop in `folder`, filled with the files of `checkout`. Another process that works there is
    /// waited for.
    pub(crate) fn open(folder: &Path, checkout: &Checkout) -> Result<Self> {
        let unusable = || {
            let folder = folder.display();
            format!("cannot use {folder}: make it writable, or set PODID_CACHE to another folder")
        };
        fs::create_dir_all(folder).with_context(unusable)?;
        let folder = folder.canonicalize().with_context(unusable)?;
        let lock = File::create(folder.join("lock")).with_context(unusable)?;
        if lock.try_lock().is_err() {
            ui::step("Waiting for another process that builds images");
            lock.lock().with_context(unusable)?;
        }
        let source = folder.join("source");
        checkout.stage(&source)?;
        Ok(Self {
            source,
            target: folder.join("target"),
            _lock: lock,
        })
    }

    /// The copy of the sources.
    pub(crate) fn source(&self) -> &Path {
        &self.source
    }

    /// Builds `programs` and returns the bytes of each.
    pub(crate) fn build(
        &self,
        programs: &[ShippedProgram],
        checkout: &Checkout,
        toolchain: &Toolchain,
    ) -> Result<Vec<Vec<u8>>> {
        let mut command = self.command(checkout, toolchain)?;
        // cargo unites the features of all packages it is given. Always the same ones, so that an image does
        // not depend on which others are built with it.
        for package in ShippedProgram::ALL {
            command.args(["--package", package.name()]);
        }
        for program in programs {
            command.args(["--bin", program.name()]);
        }
        let status = command
            .status()
            .context("cannot start `cargo`: is it installed and on PATH?")?;
        if !status.success() {
            bail!("cargo could not build the programs of the images ({status}); it says above why");
        }
        let built = self.target.join(TARGET).join(PROFILE);
        let read = |program: &ShippedProgram| {
            let path = built.join(program.name());
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        programs.iter().map(read).collect()
    }

    fn command(&self, checkout: &Checkout, toolchain: &Toolchain) -> Result<Command> {
        let paths = self.paths(toolchain)?;
        let mut command = Command::new("cargo");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_left_out) {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.source)
            .args([
                "build",
                "--locked",
                "--target",
                TARGET,
                "--profile",
                PROFILE,
            ])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags::rust(&paths)?)
            .envs(flags::c(&paths)?)
            .envs(environment(checkout));
        Ok(command)
    }

    /// The folders that compilers see, with what they are to call each; the more special ones later.
    fn paths(&self, toolchain: &Toolchain) -> Result<Vec<(PathBuf, String)>> {
        let mut paths = vec![
            (self.source.clone(), "/podid".to_owned()),
            (self.target.clone(), "/podid/target".to_owned()),
            // Where it is installed, Rust's compiler names its library's sources instead of this.
            (
                toolchain.sysroot.join("lib/rustlib/src/rust"),
                format!("/rustc/{}", toolchain.rust_commit),
            ),
        ];
        for registry in self.registries()? {
            paths.push((registry, "/cargo/registry".to_owned()));
        }
        Ok(paths)
    }

    /// The folders in which cargo unpacked the crates of others.
    fn registries(&self) -> Result<Vec<PathBuf>> {
        let metadata = MetadataCommand::new()
            .current_dir(&self.source)
            .other_options(["--locked".to_owned()])
            .exec()
            .context("cargo cannot read the workspace, or get its crates")?;
        let foreign = metadata
            .packages
            .iter()
            .filter(|package| package.source.is_some());
        let mut folders: Vec<PathBuf> = foreign
            .filter_map(|package| package.manifest_path.parent()?.parent())
            .map(|folder| folder.as_std_path().to_owned())
            .collect();
        folders.sort();
        folders.dedup();
        Ok(folders)
    }
}

/// What build scripts read. Only the commit changes from build to build: cargo builds anew whatever has read a
/// variable that changed, and all that uses it.
fn environment(checkout: &Checkout) -> [(&'static str, String); 4] {
    [
        ("CARGO_INCREMENTAL", "0".to_owned()),
        // From source, as git2 and aws-lc-rs are, whatever the machine has.
        ("LIBZ_SYS_STATIC", "1".to_owned()),
        ("PODID_COMMIT", checkout.short_revision()),
        // The time that C sources are told for that of their compilation.
        ("SOURCE_DATE_EPOCH", "0".to_owned()),
    ]
}

fn is_left_out(name: &str) -> bool {
    NOT_INHERITED
        .iter()
        .any(|left_out| name.starts_with(left_out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::tests::checkout;

    #[test]
    fn another_commit_builds_no_dependency_anew() {
        let first = checkout();
        let mut second = first.clone();
        second.commit = "f".repeat(40);
        second.time += 1;
        let pairs = environment(&first).into_iter().zip(environment(&second));
        let differing: Vec<_> = pairs.filter(|(first, second)| first != second).collect();
        assert_eq!(differing.len(), 1, "{differing:?}");
        assert_eq!(differing[0].0.0, "PODID_COMMIT");
    }

    #[test]
    fn settings_of_the_user_are_left_out_and_the_way_to_registries_is_not() {
        for name in [
            "RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CC_x86_64",
            "PODID_IMAGE_LAYER",
        ] {
            assert!(is_left_out(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "HTTPS_PROXY",
            "CARGO_HTTP_CAINFO",
        ] {
            assert!(!is_left_out(name), "{name}");
        }
    }
}
