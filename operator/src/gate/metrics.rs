//! The count of calls. All label sets are closed.

use podid_azure::{GateDecision, GateRefusal};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::call::{CallDestination, CallKind, OutgoingCall};

/// How many calls came to the gate. Clones share one state.
#[derive(Clone, Debug)]
pub struct GateMetrics {
    calls: Family<CallLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    destination: CallDestination,
    kind: CallKind,
    outcome: CallOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum CallOutcome {
    /// It was sent, whatever came back.
    Done,
    /// It was not sent: this replica does not lead.
    Refused,
    /// It was not sent yet: Azure limits how many are.
    HeldBack,
}

impl GateMetrics {
    /// Registers `podid_calls_total`; once a process.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let calls = Family::default();
        registry.register(
            "calls",
            "Calls to Azure Resource Manager and to the API server, repeats included, by what became \
             of them: done, refused because this replica does not lead, or held back for a moment so that Azure's \
             request limits are kept",
            calls.clone(),
        );
        let metrics = Self { calls };
        metrics.begin_at_zero();
        metrics
    }

    /// A family without a series is missing from `/metrics`, and a rate over it is then unknown.
    fn begin_at_zero(&self) {
        for destination in [CallDestination::Azure, CallDestination::Cluster] {
            for kind in [CallKind::Read, CallKind::Write] {
                for outcome in [
                    CallOutcome::Done,
                    CallOutcome::Refused,
                    CallOutcome::HeldBack,
                ] {
                    let labels = CallLabels {
                        destination,
                        kind,
                        outcome,
                    };
                    drop(self.calls.get_or_create(&labels));
                }
            }
        }
    }

    pub(super) fn count(&self, call: &OutgoingCall, decision: &GateDecision) {
        let labels = CallLabels {
            destination: call.destination(),
            kind: call.kind,
            outcome: match decision {
                GateDecision::Send | GateDecision::LoseAnswer => CallOutcome::Done,
                // Only what is held back is told when to come again.
                GateDecision::Refuse(GateRefusal {
                    retry_after: Some(_),
                    ..
                }) => CallOutcome::HeldBack,
                GateDecision::Refuse(_) => CallOutcome::Refused,
            },
        };
        self.calls.get_or_create(&labels).inc();
    }
}
