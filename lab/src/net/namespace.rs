//! Network namespaces and how to work inside one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use nix::sched::{CloneFlags, setns};
use nlink::netlink::{Connection, Route, namespace};

use super::Error;

/// A network namespace, known by a file that names it, such as `/proc/PID/ns/net`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace {
    path: PathBuf,
}

impl Namespace {
    /// The namespace named by a file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The namespace of a process, for as long as that process lives.
    #[must_use]
    pub fn of_process(pid: u32) -> Self {
        Self::at(format!("/proc/{pid}/ns/net"))
    }

    /// The namespace of this program (of its first thread).
    #[must_use]
    pub fn own() -> Self {
        Self::at("/proc/self/ns/net")
    }

    /// The file that names the namespace.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets a kernel parameter of the namespace, such as `net.ipv4.ip_forward`.
    pub(super) fn set(&self, key: &str, value: &str) -> Result<(), Error> {
        namespace::set_sysctl_path(&self.path, key, value)
            .map_err(Error::kernel(format!("set {key}={value}"), &self.path))
    }

    /// Opens the file, to hand the namespace to the kernel.
    pub(super) fn open(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(|source| Error::Open {
            path: self.path.clone(),
            source,
        })
    }

    /// A route socket that lives in the namespace, whichever thread uses it.
    pub(super) fn connect(&self) -> Result<Connection<Route>, Error> {
        Connection::new_in(self.path.as_path())
            .map_err(Error::kernel("open a netlink socket", &self.path))
    }
}

/// Runs `work` on a thread of its own inside the network namespace named by `path`, and waits
/// for it. Sockets opened by `work` stay in that namespace wherever they are used later, so
/// "bind here, serve there" is the usual shape:
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = podid_lab::net::in_namespace("/proc/4711/ns/net", || {
///     std::net::TcpListener::bind("10.200.0.10:80")
/// })??;
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
///
/// The caller is blocked meanwhile: keep `work` short, or call this from a blocking task.
/// `work` is a plain function on purpose: the kernel moves threads, and an async task that
/// crosses an await may continue on a thread that was never moved.
///
/// # Errors
/// [`Error::Open`] or [`Error::Enter`] when the namespace cannot be entered,
/// [`Error::Panicked`] when `work` panics.
pub fn in_namespace<T, F>(path: impl AsRef<Path>, work: F) -> Result<T, Error>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let namespace = Namespace::at(path.as_ref());
    let file = namespace.open()?;
    let enter = |source| Error::Enter {
        path: namespace.path.clone(),
        source,
    };
    thread::scope(|scope| {
        thread::Builder::new()
            .name("in-netns".to_owned())
            .spawn_scoped(scope, move || {
                setns(file, CloneFlags::CLONE_NEWNET)?;
                Ok::<T, nix::Error>(work())
            })
            .map_err(enter)?
            .join()
            .map_err(|_| Error::Panicked(namespace.path.clone()))?
            .map_err(|errno| enter(errno.into()))
    })
}
