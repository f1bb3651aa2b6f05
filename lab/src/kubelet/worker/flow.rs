//! What a worker goes on from.

use k8s_openapi::api::core::v1::Pod;

/// A pod as the watch has it.
#[derive(Clone, Debug)]
pub(in crate::kubelet) enum Seen {
    /// Its newest version.
    Here(Box<Pod>),
    /// The API server does not have it any more.
    Gone,
}

/// What follows a step that went well.
pub(super) enum After {
    /// Decide again at once.
    Decide,
    /// Wait until something changes.
    Wait,
    /// Ask again in a moment.
    Check,
    /// Nothing is left to do, ever.
    Done,
}
