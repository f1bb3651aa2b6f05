//! The Azure SDKs for Python, in a virtual environment outside the clone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{process, ui};

/// Packages and versions that the tests and the demo use.
const REQUIREMENTS: &str = "tests/python/requirements.txt";

/// The interpreter of an environment that holds [`REQUIREMENTS`], made on first use and again
/// whenever the list or the machine's Python changes.
pub(crate) fn interpreter() -> Result<PathBuf> {
    let requirements = process::root().join(REQUIREMENTS);
    let wanted = fs::read(&requirements).with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let version = process::capture(Command::new("python3").arg("--version"))
        .context("the tests run Azure's own SDKs: install python3 (3.10 or newer) with its venv")?;
    let digest = Sha256::digest([wanted.as_slice(), version.as_bytes()].concat());
    let key: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let folder = podid_lab::tools::cache_root()?.join(format!("python-{key}"));
    let python = folder.join("bin/python");
    let done = folder.join("complete");
    if !done.exists() {
        ui::step(&format!(
            "Installing the Azure SDKs for Python ({REQUIREMENTS})"
        ));
        install(&folder, &python, &requirements)?;
        fs::write(&done, version).with_context(|| format!("cannot write {}", done.display()))?;
    }
    Ok(python)
}

fn install(folder: &Path, python: &Path, requirements: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(folder)
        .status()?;
    if !made.success() {
        bail!("python3 cannot make a virtual environment: install its venv module (python3-venv)");
    }
    process::run(
        Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(requirements),
    )
}
