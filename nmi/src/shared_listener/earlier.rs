//! Finds the daemon that listens on an address, and takes a duplicate of its socket.
//!
//! Nothing asks or tells the other daemon, which may be of another version or hang. The kernel lets a process
//! with SYS_PTRACE copy a file descriptor of another. So there is no socket or file by which somebody could
//! hand over something false; whose socket is taken is decided here alone: that of a process with podid's own
//! capabilities, which owns the node anyway.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nlink::netlink::{Connection, SockDiag};
use nlink::sockdiag::{ProcessRef, SocketFilter, SocketOwnerMap};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpListener;

use super::error::ListenError;
use crate::privileges;

/// A listening socket, which other daemons may have too.
#[derive(Debug)]
pub(crate) struct SharedListener {
    pub(crate) socket: TcpListener,
    /// The other daemons that have it.
    pub(crate) earlier: Vec<EarlierDaemon>,
}

/// A daemon that was started before this one.
#[derive(Debug)]
pub(crate) struct EarlierDaemon {
    /// Becomes readable when the process ends.
    process: AsyncFd<OwnedFd>,
}

impl EarlierDaemon {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that close their descriptor early; an OwnedFd does not"
    )]
    fn open(pid: i32) -> io::Result<Self> {
        let id = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        let process = pidfd_open(id, PidfdFlags::empty())?;
        let process = AsyncFd::with_interest(process, Interest::READABLE)?;
        Ok(Self { process })
    }

    /// Returns when the process has ended; at once if it has.
    pub(crate) async fn ended(&self) {
        // An error says that the descriptor cannot be waited for, which opening it would have said.
        let _readable = self.process.readable().await;
    }

    /// A duplicate of one of its file descriptors, if that is still the socket with this inode.
    fn socket(&self, number: i32, inode: u32) -> io::Result<TcpListener> {
        let copy = pidfd_getfd(self.process.get_ref(), number, PidfdGetfdFlags::empty())?;
        let copy = fs::File::from(copy);
        if copy.metadata()?.ino() != u64::from(inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let socket = std::net::TcpListener::from(OwnedFd::from(copy));
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    }
}

/// Shares the socket that listens on `address`; `None` when there is none any more, or soon.
///
/// # Errors
/// When anybody but a daemon has it, or it cannot be duplicated.
pub(super) async fn share(
    address: SocketAddr,
    flags: &'static str,
) -> Result<Option<SharedListener>, ListenError> {
    let Some(inode) = inode_at(address).await? else {
        return Ok(None);
    };
    let mut earlier = Vec::new();
    let mut shared = None;
    for ProcessRef { pid, fd, comm, .. } in holders_of(inode).await {
        match duplicate(pid, fd, inode) {
            Ok((socket, daemon)) => {
                tracing::info!(%address, pid, "listening with the daemon that runs");
                shared = Some(socket);
                earlier.push(daemon);
            }
            Err(NoDuplicate::Ending) => {}
            Err(NoDuplicate::Foreign) => {
                let name = comm;
                return Err(ListenError::Foreign {
                    address,
                    flags,
                    pid,
                    name,
                });
            }
            Err(NoDuplicate::Refused(source)) => {
                return Err(ListenError::TakeOver {
                    address,
                    pid,
                    source,
                });
            }
        }
    }
    Ok(shared.map(|socket| SharedListener { socket, earlier }))
}

/// Why a process gives no duplicate of its socket.
enum NoDuplicate {
    /// It ends: it has no program any more, or has closed the socket.
    Ending,
    /// It is not a daemon.
    Foreign,
    /// The kernel refused.
    Refused(io::Error),
}

/// A duplicate of the socket with this inode, which a process has as this file descriptor, if the process is another
/// one of this program with its capabilities in this user namespace. Whoever has those owns the node, so
/// nobody gains anything by looking like a daemon.
fn duplicate(
    pid: i32,
    number: i32,
    inode: u32,
) -> Result<(TcpListener, EarlierDaemon), NoDuplicate> {
    let failed = |error| match has_ended(&error) {
        true => NoDuplicate::Ending,
        false => NoDuplicate::Refused(error),
    };
    // Opened before it is looked at: from then on its number means no other process.
    let daemon = EarlierDaemon::open(pid).map_err(failed)?;
    if !is_daemon(pid) {
        // A process that ends has no program any more.
        return Err(match link(&pid.to_string(), "exe") {
            Some(_) => NoDuplicate::Foreign,
            None => NoDuplicate::Ending,
        });
    }
    let socket = daemon.socket(number, inode).map_err(failed)?;
    Ok((socket, daemon))
}

/// Whether a process ended, or closed its socket, while it was looked at.
fn has_ended(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::SRCH, rustix::io::Errno::BADF];
    let is_gone = |errno: &rustix::io::Errno| error.raw_os_error() == Some(errno.raw_os_error());
    error.kind() == io::ErrorKind::NotFound || gone.iter().any(is_gone)
}

/// The inode of the socket that listens on exactly this address.
async fn inode_at(address: SocketAddr) -> Result<Option<u32>, ListenError> {
    let failed = |source| ListenError::Sockets { address, source };
    let kernel = Connection::<SockDiag>::new().map_err(failed)?;
    let filter = SocketFilter::tcp().listening();
    let filter = match address {
        SocketAddr::V4(_) => filter.ipv4(),
        SocketAddr::V6(_) => filter.ipv6(),
    };
    let sockets = kernel.query(&filter.build()).await.map_err(failed)?;
    let mut sockets = sockets.iter().filter_map(|socket| socket.as_inet());
    let found = sockets.find(|socket| socket.is_listening() && socket.local == address);
    Ok(found.map(|socket| socket.inode))
}

/// The processes that have the socket with this inode.
async fn holders_of(inode: u32) -> Vec<ProcessRef> {
    // It visits all processes of the node.
    let scanned = tokio::task::spawn_blocking(SocketOwnerMap::scan).await;
    scanned.map_or_else(|_| Vec::new(), |map| map.resolve(inode).to_vec())
}

fn is_daemon(pid: i32) -> bool {
    let other = pid.to_string();
    let program = |process: &str| link(process, "exe").as_deref().and_then(program_name);
    let own = program("self");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    u32::try_from(pid) != Ok(std::process::id())
        && own.is_some()
        && own == program(&other)
        && link("self", "ns/user") == link(&other, "ns/user")
        && privileges::missing(&status).is_empty()
}

/// What a link in the folder of a process leads to.
fn link(process: &str, name: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/{name}")).ok()
}

/// The last part of a program's path; one that was replaced on disk meanwhile is still the same.
fn program_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_still_the_same() {
        for path in ["/podid-nmi", "/usr/bin/podid-nmi (deleted)"] {
            assert_eq!(program_name(Path::new(path)).as_deref(), Some("podid-nmi"));
        }
        assert_eq!(program_name(Path::new("/")), None);
    }

    #[test]
    fn this_process_and_the_first_one_are_no_earlier_daemons() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(!is_daemon(own));
        assert!(!is_daemon(1));
    }
}
