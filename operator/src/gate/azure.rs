//! Calls to Azure.

use podid_azure::{ArmCall, ArmGate, GateDecision};
use podid_core::arm::ArmId;

use super::{CallKind, CallSubject, Gate, OutgoingCall};

impl ArmGate for Gate {
    fn admit(&self, call: &ArmCall<'_>) -> GateDecision {
        self.check(&OutgoingCall {
            kind: if call.is_write() {
                CallKind::Write
            } else {
                CallKind::Read
            },
            method: call.method.clone(),
            subject: CallSubject::Azure {
                operation: call.operation,
                resource: ArmId::new(call.resource),
            },
        })
    }
}
