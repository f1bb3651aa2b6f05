//! The one place that every call of the operator passes immediately before it leaves, to Azure or to
//! the API server: here writes of a replica that does not lead are refused, calls to Azure are held back that
//! would pass its request limits, and calls are counted.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | the decision about a call |
//! | `call` | what a call is |
//! | `azure` | the way from the clients of Azure to that decision |
//! | `budget` | how many calls Azure allows |
//! | `cluster` | the way from the client of the API server to it, and the only way to make such a client |
//! | `connection` | the connections to the API server, and how long a call may take |
//! | `metrics` | the count |
//!
//! No call can avoid it, which the types ensure. A client of Azure is made from a
//! [`podid_azure::Arm`], and an `Arm` cannot be made without a gate. A client of the API server is made
//! from a [`ClusterAccess`], which keeps the address and the credential to itself; only the lease, by
//! which the leader is found, has a client without a gate.

mod azure;
mod budget;
mod call;
mod cluster;
mod connection;
mod metrics;
mod request_kind;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use budget::RequestBudget;
#[cfg(test)]
pub(crate) use budget::priority;
pub(crate) use budget::with_priority;
pub use call::{CallDestination, CallKind, CallSubject, OutgoingCall};
pub use cluster::ClusterAccess;
pub use metrics::GateMetrics;
pub use podid_azure::{GateDecision, GateRefusal};

use crate::leader::Leadership;

/// What a person can do about a call that this replica may not make.
const NOT_LEADING_STEP: &str = "nothing is to be done here; whoever may make the call makes it";

/// What a person can do about a call that is held back.
const HELD_BACK_STEP: &str =
    "nothing is to be done here; it is sent as soon as the limits allow it";

/// Why a call was not sent.
#[derive(Debug, thiserror::Error)]
pub enum CallRefused {
    /// Only the leader writes.
    #[error(
        "{what} was not sent, because this replica does not lead; the replica that leads does it"
    )]
    NotLeading {
        /// The call, as [`OutgoingCall`] prints it.
        what: String,
    },
    /// Azure limits how many calls a subscription may get.
    #[error("{what} was not sent yet, so that Azure's limits on requests are kept")]
    HeldBack {
        /// The call, as [`OutgoingCall`] prints it.
        what: String,
    },
}

/// A function that sees each call that leadership and the budget allow, and may refuse it or have its answer thrown
/// away. Tests count calls with it, limit them, and end the operator's work between any two.
pub type CallHook = dyn Fn(&OutgoingCall) -> GateDecision + Send + Sync;

/// The decision about each call. Clones share one state.
#[derive(Clone)]
pub struct Gate {
    leadership: Leadership,
    metrics: GateMetrics,
    budget: RequestBudget,
    hook: Option<Arc<CallHook>>,
}

impl Gate {
    /// A gate for writes of the leader and for reads of every replica.
    #[must_use]
    pub fn new(leadership: Leadership, metrics: GateMetrics) -> Self {
        let budget = RequestBudget::new(leadership.clone());
        Self {
            leadership,
            metrics,
            budget,
            hook: None,
        }
    }

    /// The same gate, which asks `hook` about each call as well.
    #[must_use]
    pub fn with_hook(self, hook: Option<Arc<CallHook>>) -> Self {
        Self { hook, ..self }
    }

    /// The calls to Azure that may still leave.
    #[must_use]
    pub fn budget(&self) -> &RequestBudget {
        &self.budget
    }

    /// Decides about a call and counts it.
    fn check(&self, call: &OutgoingCall) -> GateDecision {
        let decision = self.decide(call);
        self.metrics.count(call, &decision);
        decision
    }

    fn decide(&self, call: &OutgoingCall) -> GateDecision {
        // Whether this replica leads is asked here and not once for a piece of work: the lease may be
        // lost between two attempts of one call.
        if call.kind == CallKind::Write && !self.leadership.is_held() {
            let what = call.to_string();
            return GateDecision::Refuse(GateRefusal {
                reason: CallRefused::NotLeading { what }.into(),
                // Nobody knows when this replica will lead.
                retry_after: None,
                next_step: NOT_LEADING_STEP.to_owned(),
            });
        }
        if let Err(wait) = self.take(call) {
            let what = call.to_string();
            return GateDecision::Refuse(GateRefusal {
                reason: CallRefused::HeldBack { what }.into(),
                retry_after: Some(wait),
                next_step: HELD_BACK_STEP.to_owned(),
            });
        }
        match &self.hook {
            Some(hook) => hook(call),
            None => GateDecision::Send,
        }
    }

    /// Takes a call to Azure from the budget; the time after which it may leave, if it may not now.
    fn take(&self, call: &OutgoingCall) -> Result<(), Duration> {
        let CallSubject::Azure {
            operation,
            resource,
        } = &call.subject
        else {
            return Ok(());
        };
        let request = request_kind::request_kind(*operation, &call.method);
        self.budget.take(resource.subscription(), request)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("leadership", &self.leadership)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
