//! Pods that get no identity whatever binds them, with reason and remedy for their Events.

use std::fmt;

use serde::Serialize;

/// Why no pod of this kind is ever served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unserved {
    /// The pod uses the node's network, so that its calls cannot be distinguished from the node's.
    HostNetwork,
    /// A kubelet runs the pod from a file of its node. What the API server has of it is a copy, the mirror pod: no
    /// policy held the pod to a rule, no service account is behind it, and the copy need not say what runs.
    Static,
    /// The pod says that it is for Windows, where no node daemon keeps other pods from the node's identities.
    Windows,
}

impl Unserved {
    /// Reason of the Event, value of the metrics label and field of the audit line; the set is closed.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::HostNetwork => "HostNamespaceUsed",
            Self::Static => "StaticPod",
            Self::Windows => "WindowsPod",
        }
    }

    /// What to do about it, after "in the pod's template" or in its place.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::HostNetwork => "in the pod's template, remove hostNetwork, and recreate the pod",
            Self::Static => {
                "run it from the API server, as in a DaemonSet, or take the label aadpodidbinding out of its file"
            }
            Self::Windows => {
                "run it on a Linux node without os: windows, or take the label aadpodidbinding out of its template"
            }
        }
    }
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNetwork => "the pod sets hostNetwork: true",
            Self::Static => "it is a static pod, which its node's kubelet runs from a file",
            Self::Windows => "it sets os: windows, and podid serves pods of Linux nodes only",
        })
    }
}
