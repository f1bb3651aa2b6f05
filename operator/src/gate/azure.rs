//! Calls to Azure.

use podid_azure::{ArmCall, ArmGate, GateDecision, Reply};
use podid_core::arm::ArmId;

use super::request_kind::request_kind;
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

    fn refused(&self, call: &ArmCall<'_>, reply: &Reply) {
        let request = request_kind(call.operation, call.method);
        let resource = ArmId::new(call.resource);
        self.budget.refused(
            resource.subscription(),
            request,
            &reply.code,
            reply.retry_after,
        );
    }
}
