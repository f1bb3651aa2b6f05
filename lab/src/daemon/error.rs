//! What can end the daemon.

use super::mounts::MountError;
use super::steps::StepError;
use crate::state::StateError;

/// Why the daemon did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The kernel gave no port on the machine's loopback.
    #[error("cannot listen on the machine's loopback")]
    Loopback(#[source] std::io::Error),
    /// The lab's network namespace was refused.
    #[error("cannot make the control plane's network namespace")]
    Namespace(#[source] nix::errno::Errno),
    /// A file of the machine could not be covered by one of the lab's.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The async runtime did not start.
    #[error("cannot start the async runtime")]
    Runtime(#[source] std::io::Error),
    /// A step of the start-up failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A part ended without which the lab is of no use.
    #[error("{part} ended{why}")]
    Ended {
        /// The part.
        part: &'static str,
        /// The reason, after a colon; empty when it ended without an error.
        why: String,
    },
}
