//! The directory with all files of a lab.
//!
//! The monitor holds a lock on the directory itself for as long as the lab runs,
//! so whether it runs never depends on a process number in a file.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hint;

/// File with the administrator's kubeconfig for programs outside the lab.
pub const KUBECONFIG: &str = "kubeconfig";
/// File with the administrator's kubeconfig for programs inside the lab.
pub const INNER_KUBECONFIG: &str = "kubeconfig.inside";
/// File with the certificates that programs in and around the lab trust.
pub const CA_BUNDLE: &str = "ca-bundle.pem";
/// File with the same certificates as Java reads them.
pub const TRUST_STORE: &str = "ca-bundle.jks";

/// File that says what the API server writes down of requests.
pub const AUDIT_POLICY: &str = "audit-policy.yaml";
/// File with what it has written down, a JSON object a line.
pub const AUDIT_LOG: &str = "audit.log";

/// Directory of one lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// The lock on a lab's directory, which its monitor holds.
#[derive(Debug)]
pub struct StateLock {
    _dir: File,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The name cannot be a directory and a cgroup.
    #[error(
        "{0:?} cannot name a lab: use 1 to 32 lowercase letters, digits and dashes, starting with a letter"
    )]
    BadName(String),
    /// A file operation failed.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file of the lab does not hold what it should.
    #[error(
        "{path} is damaged; remove this lab with `{}`",
        hint::for_dir("down", path.parent()),
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
}

impl StateError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Where the directories of all labs of this user are.
pub fn base() -> PathBuf {
    if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        return PathBuf::from(dir).join("podid");
    }
    let run = Path::new("/run");
    if nix::unistd::access(run, nix::unistd::AccessFlags::W_OK).is_ok() {
        return run.join("podid");
    }
    std::env::temp_dir().join(format!("podid-{}", nix::unistd::getuid()))
}

impl StateDir {
    /// The directory of the lab called `name`, which need not exist.
    pub fn of(name: &str) -> Result<Self, StateError> {
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
        let all_fine = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !starts_well || !all_fine || name.len() > 32 {
            return Err(StateError::BadName(name.to_owned()));
        }
        Ok(Self(base().join(name)))
    }

    /// Names of all labs that have a directory, running or not.
    pub fn names() -> Vec<String> {
        let Ok(entries) = fs::read_dir(base()) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// The directory that was opened as `path` in another process.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Log file of a component or service.
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.join("logs").join(format!("{name}.log"))
    }

    /// The socket on which the lab's daemon takes requests.
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Administrator's kubeconfig for programs outside the lab.
    pub fn kubeconfig(&self) -> PathBuf {
        self.0.join(KUBECONFIG)
    }

    /// Administrator's kubeconfig for programs inside the lab.
    pub fn inner_kubeconfig(&self) -> PathBuf {
        self.0.join(INNER_KUBECONFIG)
    }

    /// Certificates that programs in and around the lab trust.
    pub fn ca_bundle(&self) -> PathBuf {
        self.0.join(CA_BUNDLE)
    }

    /// The same certificates as Java reads them.
    pub fn trust_store(&self) -> PathBuf {
        self.0.join(TRUST_STORE)
    }

    /// Creates the directory, for this user only.
    pub fn create(&self) -> Result<(), StateError> {
        for part in ["logs", "tmp", "credentials"] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(self.0.join(part))
                .map_err(StateError::io("create", &self.0))?;
        }
        Ok(())
    }

    /// Removes everything in the directory, but not the directory itself, on
    /// which the caller holds the lock.
    pub fn clear(&self) -> Result<(), StateError> {
        let entries = fs::read_dir(&self.0).map_err(StateError::io("read", &self.0))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_dir {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.map_err(StateError::io("remove", &path))?;
        }
        Ok(())
    }

    /// Takes the lock; `None` when another process has it, that is, when the
    /// lab is running.
    pub fn try_lock(&self) -> Result<Option<StateLock>, StateError> {
        let dir = File::open(&self.0).map_err(StateError::io("open", &self.0))?;
        match dir.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => {
                return Err(StateError::Io {
                    action: "lock",
                    path: self.0.clone(),
                    source,
                });
            }
            Ok(()) => {}
        }
        // Between open and lock the directory may have been removed, and made
        // anew by someone else: then this lock is on the directory that is gone.
        let held = dir.metadata().map_err(StateError::io("inspect", &self.0))?;
        match fs::metadata(&self.0) {
            Ok(now) if now.ino() == held.ino() => Ok(Some(StateLock { _dir: dir })),
            Ok(_) => Ok(None),
            Err(source) => Err(StateError::Io {
                action: "inspect",
                path: self.0.clone(),
                source,
            }),
        }
    }

    /// Whether the lab is running.
    pub fn is_running(&self) -> bool {
        self.0.exists() && matches!(self.try_lock(), Ok(None))
    }

    /// Removes the directory; one that is gone already is fine.
    pub fn remove(&self) -> Result<(), StateError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateError::io("remove", &self.0)(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes `text` to a file of the lab, whole or not at all.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<PathBuf, StateError> {
        let path = self.file(name);
        let temporary = self.file(format!(".{name}.new").replace('/', "-"));
        fs::write(&temporary, text).map_err(StateError::io("write", &temporary))?;
        fs::rename(&temporary, &path).map_err(StateError::io("write", &path))?;
        Ok(path)
    }

    /// Writes `value` as JSON to a file of the lab.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<PathBuf, StateError> {
        let text = serde_json::to_vec_pretty(value).map_err(|source| StateError::Damaged {
            path: self.file(name),
            source,
        })?;
        self.write(name, text)
    }

    /// Reads a file of the lab.
    pub fn read(&self, name: &str) -> Result<String, StateError> {
        let path = self.file(name);
        fs::read_to_string(&path).map_err(StateError::io("read", &path))
    }

    /// Reads a JSON file of the lab.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StateError> {
        let path = self.file(name);
        let text = fs::read(&path).map_err(StateError::io("read", &path))?;
        serde_json::from_slice(&text).map_err(|source| StateError::Damaged { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_directory_are_refused() {
        for name in ["", "..", "a/b", "Default", "1st", "a b", &"x".repeat(33)] {
            assert!(StateDir::of(name).is_err(), "{name:?} was accepted");
        }
        for name in ["default", "a", "demo-2"] {
            assert!(StateDir::of(name).is_ok(), "{name:?} was refused");
        }
    }

    #[test]
    fn the_lock_says_whether_a_lab_runs() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::at(temp.path().join("one"));
        assert!(!dir.is_running(), "nothing there yet");
        dir.create().unwrap();
        assert!(!dir.is_running(), "no monitor yet");
        let lock = dir.try_lock().unwrap().unwrap();
        assert!(dir.is_running());
        assert!(dir.try_lock().unwrap().is_none(), "two monitors");
        drop(lock);
        assert!(!dir.is_running());
        dir.remove().unwrap();
        dir.remove().unwrap();
    }
}
