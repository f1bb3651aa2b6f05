//! Telling a full disk from other failures. The program that fails first for it
//! may write another reason, or none.

use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// A disk with less than this is full for every build here.
const LITTLE: u64 = 64 << 20;
/// How programs spell the two errors of the kernel, in lower case.
const SPELLINGS: [&str; 3] = ["no space left on device", "errno 28", "disk quota exceeded"];

/// Which disk is full, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DiskFull(String);

impl DiskFull {
    /// The reason why work in `folder` failed, if it is this one. `said` is
    /// what the failed program wrote.
    pub fn behind(folder: &Path, said: &str) -> Option<Self> {
        let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
        let spelled = lines().rfind(|line| {
            let line = line.to_ascii_lowercase();
            SPELLINGS.iter().any(|spelling| line.contains(spelling))
        });
        // Where that cannot be asked, there is plenty as far as is known.
        let free = statvfs(folder).map_or(u64::MAX, |disk| {
            disk.blocks_available().saturating_mul(disk.fragment_size())
        });
        let said = spelled.or(lines().next_back()).unwrap_or("no word why");
        let left = format!("{} has {} MiB left", folder.display(), free >> 20);
        if free < LITTLE {
            return Some(Self(format!(
                "the disk is full: {left} ({said}); free space there, or set PODID_CACHE to a \
                 folder on another disk"
            )));
        }
        // As that of Go's own caches.
        spelled.map(|_| Self(format!("a disk is full: {said}; free space there ({left})")))
    }
}

/// What to do about a file of the cache that cannot be used.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free space there, or set PODID_CACHE to a folder on another disk"
        }
        _ => "make it writable, or set PODID_CACHE to another folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_by_what_programs_say_of_it() {
        let folder = Path::new("/proc");
        for said in [
            "go: writing: write /x: no space left on device\nexit status 1",
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        ] {
            let text = DiskFull::behind(folder, said).unwrap().to_string();
            assert!(text.contains(said.lines().next().unwrap()), "{text}");
        }
    }

    #[test]
    fn other_trouble_is_no_full_disk() {
        let folder = std::env::current_dir().unwrap();
        assert!(DiskFull::behind(&folder, "no such package").is_none());
        let other = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!remedy(&other).contains("full"));
        assert!(remedy(&io::Error::from_raw_os_error(libc::ENOSPC)).contains("full"));
    }
}
