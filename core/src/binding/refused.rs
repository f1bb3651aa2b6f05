//! A bound pod that is refused, with reason and message of the Event on it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::binding::{AzureIdentity, Unserved};
use crate::net_raw::{self, Breach};

/// A pod that is bound and refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedPod {
    /// Why.
    pub cause: RefusalCause,
    /// The identities that it is bound to.
    pub identities: Vec<AzureIdentity>,
}

/// Why a bound pod is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum RefusalCause {
    /// It breaks the rule behind `netRaw: Enforce` in these ways; never empty.
    BreaksRule(BTreeSet<Breach>),
    /// No pod of its kind is served.
    Unserved(Unserved),
}

impl RefusedPod {
    /// Reason of the Event.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match &self.cause {
            RefusalCause::BreaksRule(breaches) => net_raw::reason(breaches),
            RefusalCause::Unserved(kind) => kind.reason(),
        }
    }

    /// Message of the Event: why the pod gets no identity, and what to do.
    #[must_use]
    pub fn message(&self) -> String {
        let (why, remedy) = match &self.cause {
            RefusalCause::BreaksRule(breaches) => {
                let remedy = net_raw::remedy(breaches);
                let remedy = format!("in the pod's template, {remedy}, and recreate the pod");
                (net_raw::describe(breaches), remedy)
            }
            RefusalCause::Unserved(kind) => (kind.to_string(), kind.remedy().to_owned()),
        };
        format!("the pod gets no identity, because {why}; {remedy}")
    }
}
