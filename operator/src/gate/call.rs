//! What is about to be sent.

use std::fmt;

use http::Method;
use podid_azure::Operation;
use podid_core::arm::ArmId;
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

/// What a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallSubject {
    /// A call to Azure Resource Manager.
    Azure {
        /// Which function of `podid-azure` makes it.
        operation: Operation,
        /// Resource id or scope.
        resource: ArmId,
    },
    /// A call to the API server.
    Cluster {
        /// Path of the request, as `/api/v1/namespaces/shop/configmaps/web`.
        path: String,
    },
}

/// A call that is about to be sent: one attempt, one page or one poll of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingCall {
    /// Whether it changes something where it goes.
    pub kind: CallKind,
    /// HTTP method.
    pub method: Method,
    /// What it is about.
    pub subject: CallSubject,
}

impl OutgoingCall {
    /// Where it goes.
    #[must_use]
    pub fn destination(&self) -> CallDestination {
        match self.subject {
            CallSubject::Azure { .. } => CallDestination::Azure,
            CallSubject::Cluster { .. } => CallDestination::Cluster,
        }
    }
}

/// As `PATCH /api/v1/namespaces/shop/configmaps/web`.
impl fmt::Display for OutgoingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = &self.method;
        match &self.subject {
            CallSubject::Azure { resource, .. } => write!(f, "{method} {resource}"),
            CallSubject::Cluster { path } => write!(f, "{method} {path}"),
        }
    }
}
