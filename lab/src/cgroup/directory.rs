//! A lab's own cgroup, and those below it.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::error::{CgroupError, failed};
use super::mounts::{in_version_1, root};
use crate::hex::hex;
use crate::state::StateDir;

/// The directory of the lab kept in `dir`. Two users' labs of one name have
/// different state directories, hence different cgroups.
pub fn of_lab(name: &str, dir: &StateDir) -> Result<PathBuf, CgroupError> {
    let root = root()?;
    let digest = Sha256::digest(dir.path().as_os_str().as_bytes());
    let owner = hex(&digest[..4]);
    Ok(root.join(format!("podid-lab-{name}-{owner}")))
}

/// Creates the cgroup and those above it; one that exists is fine.
pub fn create(path: &Path) -> Result<(), CgroupError> {
    fs::create_dir_all(path).map_err(failed("create", path))
}

/// Moves the calling process (all its threads) into the cgroup.
pub fn join(path: &Path) -> Result<(), CgroupError> {
    fs::write(path.join("cgroup.procs"), "0").map_err(failed("enter", path))
}

/// Kills every process in the cgroup of a lab and below, and removes all of it, in both
/// versions. One that is gone already is fine.
pub fn remove(path: &Path) -> Result<(), CgroupError> {
    if path.exists() {
        fs::write(path.join("cgroup.kill"), "1").map_err(failed("empty", path))?;
        remove_emptied(path)?;
    }
    // The same processes were in those of version 1.
    for path in in_version_1(path)? {
        remove_emptied(&path)?;
    }
    Ok(())
}

fn remove_emptied(path: &Path) -> Result<(), CgroupError> {
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
