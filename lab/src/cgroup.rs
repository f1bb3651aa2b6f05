//! The lab's part of the cgroup (version 2) tree.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::state::StateDir;

/// Why a cgroup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// This machine has no cgroup2 mount.
    #[error("no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup")]
    NotMounted,
    /// A file operation failed.
    #[error("cannot {action} the cgroup {path}; is its file system writable here?", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which cgroup.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Processes did not end after they were killed.
    #[error("processes in the cgroup {path} do not end", path = path.display())]
    Busy {
        /// The cgroup.
        path: PathBuf,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_owned();
    move |source| CgroupError::Io {
        action,
        path,
        source,
    }
}

/// The directory of the lab kept in `dir`. Two users' labs of one name have
/// different state directories, hence different cgroups.
pub fn of_lab(name: &str, dir: &StateDir) -> Result<PathBuf, CgroupError> {
    let root = root()?;
    let digest = Sha256::digest(dir.path().as_os_str().as_bytes());
    let owner: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(root.join(format!("podid-lab-{name}-{owner}")))
}

/// Mount point of the cgroup (version 2) file system.
pub fn root() -> Result<PathBuf, CgroupError> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")
        .map_err(failed("find", Path::new("/proc/self/mountinfo")))?;
    cgroup2_mount(&mounts).ok_or(CgroupError::NotMounted)
}

/// Mount point of the cgroup2 file system in the text of `mountinfo`
/// (proc_pid_mountinfo(5): field 5 is the mount point, the type follows " - ").
fn cgroup2_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then_some(())?;
        mount.split(' ').nth(4).map(PathBuf::from)
    })
}

/// Creates the cgroup and those above it; one that exists is fine.
pub fn create(path: &Path) -> Result<(), CgroupError> {
    fs::create_dir_all(path).map_err(failed("create", path))
}

/// Moves the calling process (all its threads) into the cgroup.
pub fn join(path: &Path) -> Result<(), CgroupError> {
    fs::write(path.join("cgroup.procs"), "0").map_err(failed("enter", path))
}

/// Kills every process in the cgroup and below, and removes all of it. One
/// that is gone already is fine.
pub fn remove(path: &Path) -> Result<(), CgroupError> {
    if !path.exists() {
        return Ok(());
    }
    fs::write(path.join("cgroup.kill"), "1").map_err(failed("empty", path))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match remove_empty(path) {
            // The kernel reports a cgroup busy until its last process is
            // reaped; there is no blocking way to wait for that.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                if Instant::now() > deadline {
                    return Err(CgroupError::Busy {
                        path: path.to_owned(),
                    });
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other.map_err(failed("remove", path)),
        }
    }
}

fn remove_empty(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup2_mount_is_found_beside_version_1() {
        let mountinfo = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";
        assert_eq!(
            cgroup2_mount(mountinfo),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
        assert_eq!(
            cgroup2_mount("35 31 0:32 / /c rw - cgroup cgroup rw,memory\n"),
            None
        );
    }
}
