//! The cache of built programs: a directory in it is complete, or not there.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::space::remedy;
use crate::hex::hex;

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No directory for it is known.
    #[error("no place for the cache: set PODID_CACHE or HOME")]
    NoPlace,
    /// A file operation failed.
    #[error("cannot {action} {path}; {}", remedy(source), path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// End of the name of a directory that is being filled.
const PARTIAL: &str = ".partial";

/// The cache directory of this user.
#[derive(Clone, Debug)]
pub(super) struct Cache(PathBuf);

/// Hash of `parts`, short enough for a directory's name.
pub(super) fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // Lengths keep ("ab", "c") apart from ("a", "bc").
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize()[..8])
}

impl Cache {
    /// The programs' part of [`root`].
    pub(super) fn open() -> Result<Self, CacheError> {
        let tools = root()?.join("tools");
        fs::create_dir_all(&tools).map_err(failed("create", &tools))?;
        let tools = tools.canonicalize().map_err(failed("find", &tools))?;
        Ok(Self(tools))
    }

    /// The cache in an existing folder.
    #[cfg(test)]
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The entry called `name`; it exists only when complete.
    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// File for what a build of `name` writes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.log"))
    }

    /// Waits until no other process builds. The lock is held until the file is
    /// dropped.
    pub(super) fn lock(&self) -> Result<File, CacheError> {
        let path = self.0.join("lock");
        let file = File::create(&path).map_err(failed("create", &path))?;
        if file.try_lock().is_err() {
            let waiting = "another process builds the lab's programs; waiting for it";
            super::progress::note(waiting);
            file.lock().map_err(failed("lock", &path))?;
        }
        Ok(file)
    }

    /// Removes the entry called `name`, if it is there. The caller holds the
    /// lock.
    pub(super) fn remove(&self, name: &str) -> Result<(), CacheError> {
        let path = self.dir(name);
        clear(&path).map_err(failed("remove", &path))
    }

    /// Has the entry called `link` lead to the one called `name`, whatever it led to
    /// before. The caller holds the lock.
    pub(super) fn link(&self, link: &str, name: &str) -> Result<(), CacheError> {
        let path = self.dir(link);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
        symlink(name, &path).map_err(failed("create", &path))
    }

    /// Removes what killed builds have left. The caller holds the lock.
    pub(super) fn clear_partial(&self) -> Result<(), CacheError> {
        let entries = fs::read_dir(&self.0).map_err(failed("read", &self.0))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') && name.ends_with(PARTIAL) {
                clear(&path).map_err(failed("clear", &path))?;
            }
        }
        Ok(())
    }

    /// Fills a temporary directory and, when `work` succeeds, renames it to the
    /// entry called `name`; when it fails, nothing is kept. An entry that exists
    /// already is left.
    pub(super) fn fill<E>(
        &self,
        name: &str,
        work: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<CacheError>,
    {
        let done = self.dir(name);
        if done.exists() {
            return Ok(());
        }
        let partial = self.dir(&format!(".{name}{PARTIAL}"));
        clear(&partial).map_err(failed("clear", &partial))?;
        fs::create_dir(&partial).map_err(failed("create", &partial))?;
        if let Err(error) = work(&partial) {
            // The error of the work is reported, not this one; the next build clears it too.
            let _ = clear(&partial);
            return Err(error);
        }
        fs::rename(&partial, &done).map_err(failed("complete", &done))?;
        Ok(())
    }
}

/// Directory of this user's caches of podid: `PODID_CACHE`, or `podid` below
/// `XDG_CACHE_HOME` or `~/.cache`.
pub fn root() -> Result<PathBuf, CacheError> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("PODID_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("podid")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/podid")))
        .ok_or(CacheError::NoPlace)
}

/// For work that only touches files.
impl From<io::Error> for CacheError {
    fn from(source: io::Error) -> Self {
        Self::Io {
            action: "write",
            path: PathBuf::from("the cache"),
            source,
        }
    }
}

fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_parts_apart() {
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
        assert_eq!(key(["ab", "c"]), key(["ab", "c"]));
    }

    #[test]
    fn half_filled_is_not_there() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path());
        let failing = cache.fill("x", |dir| {
            fs::write(dir.join("a"), "1")?;
            Err::<(), CacheError>(CacheError::NoPlace)
        });
        assert!(failing.is_err());
        assert!(!cache.dir("x").exists());
        cache
            .fill::<CacheError>("x", |dir| Ok(fs::write(dir.join("b"), "2")?))
            .unwrap();
        assert!(cache.dir("x").join("b").exists());
        assert!(!cache.dir("x").join("a").exists(), "left from the failure");
    }
}
