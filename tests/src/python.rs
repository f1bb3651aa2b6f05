//! The Azure SDKs for Python, in a virtual environment outside the clone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::programs;

/// Packages and versions that the tests and the demo use.
const REQUIREMENTS: &str = "tests/python/requirements.txt";

/// The interpreter of an environment that holds [`REQUIREMENTS`], made on first use and again
/// whenever the list or the machine's Python changes.
///
/// # Errors
///
/// When there is no Python, it cannot make environments, or the packages cannot be had.
pub fn interpreter() -> Result<PathBuf> {
    let requirements = programs::repository().join(REQUIREMENTS);
    let wanted = fs::read(&requirements).with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let version = Command::new("python3")
        .arg("--version")
        .output()
        .context("Azure's own SDKs are used: install python3 (3.10 or newer) with its venv")?;
    let digest = Sha256::digest([wanted, version.stdout].concat());
    let key: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let cache = podid_lab::tools::cache_root()?;
    let folder = cache.join(format!("python-{key}"));
    let _held = lock(&cache)?;
    let python = folder.join("bin/python");
    let done = folder.join("complete");
    if !done.exists() {
        install(&folder, &python, &requirements)?;
        fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    }
    Ok(python)
}

/// Keeps other processes waiting until the file is dropped.
fn lock(cache: &Path) -> Result<File> {
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let path = cache.join("python.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

#[allow(clippy::print_stderr)]
fn install(folder: &Path, python: &Path, requirements: &Path) -> Result<()> {
    eprintln!("installing the Azure SDKs for Python ({REQUIREMENTS})");
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(folder)
        .status()?;
    ensure!(
        made.success(),
        "python3 cannot make a virtual environment: install its venv module (python3-venv)"
    );
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    let installed = Command::new(python)
        .args(pip)
        .arg(requirements)
        .stdin(Stdio::null())
        .status()?;
    if !installed.success() {
        bail!("pip cannot install {REQUIREMENTS}; what it said is above");
    }
    Ok(())
}
