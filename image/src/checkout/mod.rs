//! The sources that images are built from: the files that git knows of, or would add.

mod staging;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// Digits of a commit that programs print.
const SHORT: usize = 12;

/// A clone, as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    root: PathBuf,
    /// Paths below the root, sorted.
    files: Vec<PathBuf>,
    /// The commit that HEAD is at, with all 40 digits.
    pub(crate) commit: String,
    /// Whether any file differs from that commit.
    is_modified: bool,
    /// When the commit was made, or `SOURCE_DATE_EPOCH`: seconds since 1970. Everything in an image was
    /// changed then.
    pub(crate) time: u64,
    /// Where the sources are published.
    pub(crate) repository: String,
    /// Licence of the programs, as an SPDX expression.
    pub(crate) license: String,
}

/// The part of the root's Cargo.toml that images repeat.
#[derive(Debug, Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Debug, Deserialize)]
struct Workspace {
    package: PackageTable,
}

#[derive(Debug, Deserialize)]
struct PackageTable {
    repository: String,
    license: String,
}

impl Checkout {
    /// The clone whose root is `root`.
    pub(crate) fn of(root: &Path) -> Result<Self> {
        let manifest = std::fs::read_to_string(root.join("Cargo.toml"))
            .with_context(|| format!("cannot read Cargo.toml in {}", root.display()))?;
        let manifest: Manifest = toml::from_str(&manifest)
            .context("Cargo.toml: no workspace.package with repository and license")?;
        let head = git(root, &["show", "--no-patch", "--format=%H %ct", "HEAD"])?;
        let head = String::from_utf8_lossy(&head);
        let (commit, time) = head
            .trim()
            .split_once(' ')
            .context("git does not say which commit HEAD is at")?;
        let time = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(set) => set.parse().with_context(|| {
                format!("SOURCE_DATE_EPOCH is {set:?}: set it to seconds since 1970, or unset it")
            })?,
            Err(_) => time
                .parse()
                .context("git: the commit's time is no number")?,
        };
        // Of a file with conflicts git lists three versions.
        let listed = git(
            root,
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        )?;
        let mut files: Vec<PathBuf> = listed
            .split(|&byte| byte == 0)
            .filter(|path| !path.is_empty())
            .map(|path| PathBuf::from(OsStr::from_bytes(path)))
            .collect();
        files.sort();
        files.dedup();
        Ok(Self {
            root: root.to_owned(),
            files,
            commit: commit.to_owned(),
            is_modified: !git(root, &["status", "--porcelain"])?.is_empty(),
            time,
            repository: manifest.workspace.package.repository,
            license: manifest.workspace.package.license,
        })
    }

    /// The commit, with `-modified` after it when files differ.
    pub(crate) fn revision(&self) -> String {
        self.mark(&self.commit)
    }

    /// The same, as short as programs print it.
    pub(crate) fn short_revision(&self) -> String {
        self.mark(self.commit.get(..SHORT).unwrap_or(&self.commit))
    }

    fn mark(&self, commit: &str) -> String {
        let mark = if self.is_modified { "-modified" } else { "" };
        format!("{commit}{mark}")
    }

    /// [`Self::time`] as RFC 3339 wants it, in UTC.
    pub(crate) fn created(&self) -> String {
        let second = i64::try_from(self.time).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(second)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_string()
    }

    /// Makes `folder` contain these files and no others. Files that do not change keep the time of their
    /// last change, by which cargo knows what to build anew.
    pub(crate) fn stage(&self, folder: &Path) -> Result<()> {
        staging::sync(&self.root, &self.files, folder)
            .with_context(|| format!("cannot copy the sources to {}", folder.display()))
    }
}

/// What a git command prints.
fn git(root: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        // Only asks: nothing is to be written to the clone.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .context("cannot start git: is it installed and on PATH?")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.split_whitespace().collect();
        let said = said.join(" ");
        let advice = "images are built from a git clone with at least one commit";
        ensure!(
            !said.is_empty(),
            "git {} failed; {advice}",
            arguments.join(" ")
        );
        bail!("git {}: {said}; {advice}", arguments.join(" "));
    }
    Ok(output.stdout)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A checkout without files.
    pub(crate) fn checkout() -> Checkout {
        Checkout {
            root: PathBuf::new(),
            files: Vec::new(),
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            is_modified: false,
            time: 1_000_000_000,
            repository: "https://podid.dev".to_owned(),
            license: "Apache-2.0".to_owned(),
        }
    }

    #[test]
    fn a_modified_clone_is_said_to_be_one() {
        let clean = checkout();
        assert_eq!(clean.short_revision(), "0123456789ab");
        let modified = Checkout {
            is_modified: true,
            ..clean
        };
        assert_eq!(modified.short_revision(), "0123456789ab-modified");
        assert!(modified.revision().ends_with("34567-modified"));
    }

    #[test]
    fn a_folder_that_is_no_clone_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[workspace.package]\nrepository = \"r\"\nlicense = \"l\"\n";
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        let said = format!("{:#}", Checkout::of(folder.path()).unwrap_err());
        assert!(said.contains("not a git repository"), "{said}");
        assert!(
            said.contains("built from a git clone") && !said.contains('\n'),
            "{said}"
        );
    }

    #[test]
    fn the_files_are_those_that_git_would_add() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let manifest = "[workspace.package]\nrepository = \"r\"\nlicense = \"l\"\n";
        for (name, text) in [
            ("Cargo.toml", manifest),
            (".gitignore", "target\n"),
            ("target", "built"),
            ("ä b.rs", "fn main() {}"),
        ] {
            std::fs::write(root.join(name), text).unwrap();
        }
        git(root, &["init", "--quiet"]).unwrap();
        git(root, &["add", "Cargo.toml"]).unwrap();
        let commit = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "--quiet",
            "-m",
            "x",
        ];
        git(root, &commit).unwrap();
        let checkout = Checkout::of(root).unwrap();
        let wanted = [".gitignore", "Cargo.toml", "ä b.rs"].map(PathBuf::from);
        assert_eq!(checkout.files, wanted);
        assert!(checkout.is_modified);
    }
}
