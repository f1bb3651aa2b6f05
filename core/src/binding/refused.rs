//! A bound pod that is refused, with reason and message of the Event on it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::binding::AzureIdentity;
use crate::net_raw::{self, Breach};

/// A pod that is bound and refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedPod {
    /// In which ways it breaks the rule; never empty.
    pub breaches: BTreeSet<Breach>,
    /// The identities that it is bound to.
    pub identities: Vec<AzureIdentity>,
}

impl RefusedPod {
    /// Reason of the Event.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let of_pod = |breach: &Breach| matches!(breach, Breach::HostNetwork | Breach::HostPid);
        match self.breaches.iter().all(of_pod) {
            false => "NetRawNotDropped",
            true => "HostNamespaceUsed",
        }
    }

    /// Message of the Event: what to change in the pod's template, then why.
    #[must_use]
    pub fn message(&self) -> String {
        format!(
            "in the pod's template, {}, and recreate the pod; it gets no identity, because {}",
            net_raw::remedy(&self.breaches),
            net_raw::describe(&self.breaches)
        )
    }
}
