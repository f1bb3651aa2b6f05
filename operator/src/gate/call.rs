//! What is about to be sent.

use prometheus_client::encoding::EncodeLabelValue;

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum CallDestination {
    /// Azure Resource Manager.
    Azure,
    /// The API server.
    Cluster,
}

/// Whether a call changes something where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum CallKind {
    /// It changes nothing.
    Read,
    /// It may change something.
    Write,
}

/// A call that is about to be sent: one attempt, one page or one poll of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCall {
    /// Where it goes.
    pub destination: CallDestination,
    /// Whether it changes something there.
    pub kind: CallKind,
    /// HTTP method and what it is about: an ARM resource id or scope, or a path of the API server.
    /// `PATCH /api/v1/namespaces/shop/configmaps/web`
    pub what: String,
}
