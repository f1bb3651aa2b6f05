//! What can go wrong in a step of a pod.

use super::super::container::ContainerStartError;
use super::super::error::PodSandboxError;
use super::super::step::EXIT_CODE;

/// Why a step failed. It becomes an Event on the pod.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error("cannot make the pod's sandbox")]
    Create(#[source] PodSandboxError),
    #[error("cannot start the pod's containers")]
    Start(#[source] ContainerStartError),
    #[error("cannot take the pod's sandbox away")]
    Remove(#[source] PodSandboxError),
    #[error("the API server refused to {action}")]
    Api {
        action: &'static str,
        #[source]
        source: kube::Error,
    },
    #[error("the annotation {EXIT_CODE}={0:?} is not a number from 0 to 255")]
    ExitCode(String),
}

impl WorkerError {
    pub(super) fn api(action: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api { action, source }
    }

    /// The reason of the Event: the kubelet's own where it has one for this.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Start(_) => "Failed",
            Self::Create(_) => "FailedCreatePodSandBox",
            Self::Remove(_) => "FailedKillPod",
            Self::Api { .. } => "FailedStatusUpdate",
            Self::ExitCode(_) => "InvalidExitCode",
        }
    }
}
