//! Calls to Azure.

use podid_azure::{ArmCall, ArmGate, GateDecision};

use super::{CallDestination, CallKind, Gate, OutgoingCall};

impl ArmGate for Gate {
    fn admit(&self, call: &ArmCall<'_>) -> GateDecision {
        self.check(&OutgoingCall {
            destination: CallDestination::Azure,
            kind: if call.is_write() {
                CallKind::Write
            } else {
                CallKind::Read
            },
            what: format!("{} {}", call.method, call.resource),
        })
    }
}
