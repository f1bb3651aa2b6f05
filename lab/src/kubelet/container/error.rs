//! Why a container cannot be started.

use std::path::PathBuf;

/// Why. It becomes the reason for which a container waits.
#[derive(Debug, thiserror::Error)]
pub(in crate::kubelet) enum ContainerStartError {
    /// The API server did not give what it needs.
    #[error("the API server does not give {what}")]
    Api {
        what: String,
        #[source]
        source: kube::Error,
    },
    #[error("configmap {0:?} not found")]
    NoConfigMap(String),
    #[error(
        "the lab's stand-in for a kubelet knows no {what} {named:?}; `up --node-agent kubelet` has real ones"
    )]
    Unknown { what: &'static str, named: String },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot start the container's process")]
    Spawn(#[source] std::io::Error),
}

impl ContainerStartError {
    pub(super) fn unknown(what: &'static str, named: &str) -> Self {
        Self::Unknown {
            what,
            named: named.to_owned(),
        }
    }
}
