//! A sandbox in which a kubelet and containers run: its own processes and cgroups besides, and
//! folders of its own where such programs write.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use serde::{Deserialize, Serialize};

use super::process::{ProcessError, announce, failed};
use crate::cgroup::Hierarchy;

/// What a sandbox has in which containers run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerHost {
    /// Its cgroups of version 1; none where it uses version 2.
    pub hierarchies: Vec<Hierarchy>,
    /// Folders that are to be seen where they are, whatever is mounted above them.
    pub keep: Vec<PathBuf>,
}

/// Folders that such programs write to, with their modes; they are in memory and end with the
/// sandbox.
const OWN_FOLDERS: [(&str, &str); 4] = [
    ("/tmp", "mode=1777"),
    ("/run", "mode=755"),
    ("/var/lib", "mode=755"),
    ("/var/log", "mode=755"),
];

/// What a kubelet sets in the kernel, for the whole machine: it finds these set, in files.
const SET_ALREADY: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// The first process of such a sandbox, in namespaces that are made: mounts what it needs,
/// writes that it is ready, and reaps what is orphaned.
pub(super) fn run(
    title: &str,
    host: &ContainerHost,
) -> Result<std::convert::Infallible, ProcessError> {
    set_pdeathsig(Signal::SIGKILL).map_err(failed("follow the parent"))?;
    if let Ok(title) = CString::new(title) {
        // Cosmetic, for `ps`.
        let _ = set_name(&title);
    }
    mount_all(host)?;
    announce(std::process::id());
    reap()
}

fn mount_all(host: &ContainerHost) -> Result<(), ProcessError> {
    // Opened before something is mounted over them.
    let kept: Vec<(&Path, File)> = host
        .keep
        .iter()
        .map(|path| Ok((path.as_path(), open_path(path)?)))
        .collect::<Result<_, ProcessError>>()?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(failed("make mounts private"))?;
    file_system("proc", "/proc", none)?;
    file_system("sysfs", "/sys", none)?;
    mount_cgroups(&host.hierarchies)?;
    for (folder, mode) in OWN_FOLDERS {
        file_system("tmpfs", folder, Some(mode))?;
    }
    for (path, file) in &kept {
        show(path, file)?;
    }
    // The kernel lets a container in a user namespace mount a `proc` of its own only where
    // one is seen with nothing mounted over parts of it.
    make_folder("/run/proc")?;
    file_system("proc", "/run/proc", none)?;
    cover_kernel_settings()?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SHARED, none)
        .map_err(failed("share mounts with containers"))
}

fn mount_cgroups(hierarchies: &[Hierarchy]) -> Result<(), ProcessError> {
    const TOP: &str = "/sys/fs/cgroup";
    if hierarchies.is_empty() {
        return file_system("cgroup2", TOP, None);
    }
    file_system("tmpfs", TOP, Some("mode=755"))?;
    for hierarchy in hierarchies {
        let options = &hierarchy.options;
        let name = options.strip_prefix("none,name=").unwrap_or(options);
        let at = format!("{TOP}/{name}");
        make_folder(&at)?;
        file_system("cgroup", &at, Some(options))?;
        // Where each is looked for by its own name.
        for alias in name.split(',').filter(|alias| *alias != name) {
            let link = format!("{TOP}/{alias}");
            std::os::unix::fs::symlink(name, &link).map_err(io(format!("create {link}")))?;
        }
    }
    Ok(())
}

/// Binds the folder that `file` is to `path`, if that does not show it any more.
fn show(path: &Path, file: &File) -> Result<(), ProcessError> {
    let what = || format!("show {}", path.display());
    let same = |one: fs::Metadata| -> std::io::Result<bool> {
        let other = file.metadata()?;
        Ok(one.dev() == other.dev() && one.ino() == other.ino())
    };
    if fs::metadata(path).and_then(same).unwrap_or(false) {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(io(what()))?;
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    let none = None::<&str>;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(open.as_str()), path, none, flags, none).map_err(failed(what()))
}

fn cover_kernel_settings() -> Result<(), ProcessError> {
    make_folder("/run/sysctl")?;
    for (name, value) in SET_ALREADY {
        let file = format!("/run/sysctl/{}", name.replace('/', "."));
        let over = format!("/proc/sys/{name}");
        if !Path::new(&over).exists() {
            continue;
        }
        fs::write(&file, format!("{value}\n")).map_err(io(format!("write {file}")))?;
        let none = None::<&str>;
        mount(
            Some(file.as_str()),
            over.as_str(),
            none,
            MsFlags::MS_BIND,
            none,
        )
        .map_err(failed(format!("cover {over}")))?;
    }
    Ok(())
}

fn file_system(kind: &str, at: &str, options: Option<&str>) -> Result<(), ProcessError> {
    mount(Some(kind), at, Some(kind), MsFlags::empty(), options)
        .map_err(failed(format!("mount {kind} at {at}")))
}

fn make_folder(path: &str) -> Result<(), ProcessError> {
    fs::create_dir_all(path).map_err(io(format!("create {path}")))
}

fn open_path(path: &Path) -> Result<File, ProcessError> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)
        .map_err(io(format!("open {}", path.display())))
}

fn io(action: String) -> impl FnOnce(std::io::Error) -> ProcessError {
    move |error| {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        failed(action)(errno)
    }
}

fn reap() -> Result<std::convert::Infallible, ProcessError> {
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block().map_err(failed("block signals"))?;
    loop {
        while !matches!(
            waitpid(None, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive) | Err(_)
        ) {}
        ended.wait().map_err(failed("wait for children"))?;
    }
}
