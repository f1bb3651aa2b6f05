//! The Azure SDKs for Python, in a virtual environment outside the clone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use podid_lab::tools::DiskFull;
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
    interpreter_in(&podid_lab::tools::cache_root()?)
}

/// As [`interpreter`], for a test that cannot go on without it.
///
/// # Panics
///
/// When they cannot be installed.
#[must_use]
#[allow(clippy::panic)]
pub fn required() -> PathBuf {
    match interpreter() {
        Ok(python) => python,
        Err(error) => panic!("{error:#}"),
    }
}

/// As [`interpreter`], in the folder `cache`.
///
/// # Errors
///
/// As [`interpreter`].
pub fn interpreter_in(cache: &Path) -> Result<PathBuf> {
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
    let folder = cache.join(format!("python-{key}"));
    let _held = lock(cache)?;
    let python = folder.join("bin/python");
    let done = folder.join("complete");
    if !done.exists() {
        install(&folder, &python, &requirements).inspect_err(|_| {
            // It may be what fills the disk; the next run replaces it anyway.
            let _ = fs::remove_dir_all(&folder);
        })?;
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
    // Of an installation that is killed nothing stays on the machine: the next one replaces this.
    let temporary = folder.join("temporary");
    fs::create_dir_all(&temporary)
        .with_context(|| format!("cannot create {}", temporary.display()))?;
    let run = |command: &mut Command| said(command.env("TMPDIR", &temporary));
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    explain(made, folder, |said| {
        format!(
            "python3 cannot make a virtual environment; if its module venv is missing, install \
             it (python3-venv): {said}"
        )
    })?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    let installed = run(Command::new(python).args(pip).arg(requirements))?;
    explain(installed, folder, |said| {
        format!("pip cannot install {REQUIREMENTS}: {said}")
    })?;
    fs::remove_dir_all(&temporary).with_context(|| format!("cannot remove {}", temporary.display()))
}

/// What a command said, if it failed.
fn said(command: &mut Command) -> Result<Option<String>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    Ok((!output.status.success()).then_some(words))
}

/// An error out of what a command that failed said: the full disk below `folder`, if it is that.
fn explain(
    failed: Option<String>,
    folder: &Path,
    otherwise: impl Fn(&str) -> String,
) -> Result<()> {
    let Some(said) = failed else { return Ok(()) };
    match DiskFull::behind(folder, &said) {
        Some(full) => Err(full).context("cannot install the Azure SDKs for Python"),
        None => bail!(otherwise(&said)),
    }
}
