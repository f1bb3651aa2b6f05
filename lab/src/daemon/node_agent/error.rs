//! What can go wrong while the agents of nodes start.

use std::path::PathBuf;

use super::super::pki::PkiError;
use super::super::supervise::SuperviseError;
use crate::state::StateError;

/// Why the agents of a node did not start.
#[derive(Debug, thiserror::Error)]
pub(in crate::daemon) enum NodeAgentError {
    /// An image of this machine's programs cannot be packed.
    #[error(
        "cannot pack this machine's programs as an image; is ldd installed, and is there room?"
    )]
    Image(#[source] std::io::Error),
    /// The folder of a node cannot be made.
    #[error("cannot create {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A node has no certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A program did not start, or failed.
    #[error(transparent)]
    Program(#[from] SuperviseError),
    /// containerd does not answer.
    #[error("containerd on {0} does not answer")]
    Containerd(String),
}
