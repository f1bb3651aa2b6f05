//! Why a socket cannot be had.

use std::io;
use std::net::SocketAddr;

/// Why an address cannot be listened on. `flags` are those that choose another one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {address}; choose another with {flags}")]
    Bind {
        address: SocketAddr,
        flags: &'static str,
        source: io::Error,
    },
    #[error(
        "cannot listen on {address}, because process {pid} ({name}) does and is no other podid-nmi with the \
         capabilities of one; end it, or choose another address with {flags}"
    )]
    Foreign {
        address: SocketAddr,
        flags: &'static str,
        pid: i32,
        name: String,
    },
    #[error("cannot list the node's sockets to find out who listens on {address}")]
    Sockets {
        address: SocketAddr,
        source: nlink::Error,
    },
    #[error(
        "cannot take over the socket that listens on {address} from the daemon that runs (process {pid}); it needs \
         Linux 5.6, and a seccomp and an AppArmor profile that allow pidfd_getfd with SYS_PTRACE, as those of \
         containerd and CRI-O do"
    )]
    TakeOver {
        address: SocketAddr,
        pid: i32,
        source: io::Error,
    },
}
