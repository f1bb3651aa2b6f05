//! The files that a container sees.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

use super::process::{ContainerError, ContainerProcess, Mount, failed, io_failed};

/// Folders of the machine that containers see, where they are there.
const FOLDERS: [&str; 9] = [
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "proc", "sys", "dev",
];
/// What they see of `/etc`: names, and how libraries and certificates are found.
const SETTINGS: [&str; 9] = [
    "hosts",
    "resolv.conf",
    "passwd",
    "group",
    "nsswitch.conf",
    "ld.so.cache",
    "localtime",
    "ssl",
    "pki",
];

/// Makes the container's files the root of this process, in a mount namespace of its own.
pub(super) fn enter(spec: &ContainerProcess) -> Result<(), ContainerError> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("make a mount namespace"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).map_err(failed("make mounts private"))?;
    let root = &spec.root;
    let memory = Some("mode=755");
    mount(Some("tmpfs"), root, Some("tmpfs"), MsFlags::empty(), memory)
        .map_err(failed("mount a root"))?;
    FOLDERS
        .iter()
        .try_for_each(|name| show(Path::new(name), root))?;
    SETTINGS
        .iter()
        .try_for_each(|name| show(&Path::new("etc").join(name), root))?;
    let own = Mount {
        source: spec.program.clone(),
        target: spec.path.clone(),
        read_only: true,
    };
    std::iter::once(&own)
        .chain(&spec.mounts)
        .try_for_each(|one| bind(&one.source, &below(root, &one.target), one.read_only))?;
    if spec.read_only_root {
        let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, root, none, again, none).map_err(failed("make the root read-only"))?;
    }
    chdir(root).map_err(failed("enter the root"))?;
    // The old root is then mounted over the new one, from which it is taken off.
    pivot_root(".", ".").map_err(failed("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed("leave the old root"))?;
    chdir("/").map_err(failed("enter the root"))
}

/// Shows what the machine has at `path`, if anything; a link stays a link.
fn show(path: &Path, root: &Path) -> Result<(), ContainerError> {
    let source = Path::new("/").join(path);
    let target = root.join(path);
    let Ok(found) = fs::symlink_metadata(&source) else {
        return Ok(());
    };
    // A link such as lib → usr/lib leads to what is shown too; one out of /etc may not.
    if found.is_symlink() && path.parent() == Some(Path::new("")) {
        let link = fs::read_link(&source);
        return link
            .and_then(|link| symlink(link, &target))
            .map_err(io_failed(format!("show {}", source.display())));
    }
    if source.exists() {
        bind(&source, &target, false)
    } else {
        Ok(())
    }
}

fn bind(source: &Path, target: &Path, read_only: bool) -> Result<(), ContainerError> {
    let what = || format!("mount {} at {}", source.display(), target.display());
    let place = || -> std::io::Result<()> {
        if source.is_dir() {
            return fs::create_dir_all(target);
        }
        fs::create_dir_all(target.parent().unwrap_or(target))?;
        File::create(target).map(drop)
    };
    place().map_err(io_failed(what()))?;
    let none = None::<&str>;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, none, flags, none).map_err(failed(what()))?;
    if read_only {
        let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, target, none, again, none).map_err(failed(what()))?;
    }
    Ok(())
}

/// A path of the container below its root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
