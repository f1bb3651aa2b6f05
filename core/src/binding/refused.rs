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
        net_raw::reason(&self.breaches)
    }

    /// Message of the Event: why the pod gets no identity, and what to change in its template.
    #[must_use]
    pub fn message(&self) -> String {
        format!(
            "the pod gets no identity, because {}; in the pod's template, {}, and recreate the pod",
            net_raw::describe(&self.breaches),
            net_raw::remedy(&self.breaches)
        )
    }
}
