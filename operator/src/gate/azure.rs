//! Calls to Azure.

use http::Method;
use podid_azure::{ArmCall, ArmGate, GateDecision, Operation, Reply};
use podid_core::arm::ArmId;
use podid_core::arm_budget::RequestKind;

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

/// The limit of Azure that a call counts for. The method decides: what Azure works on for long is followed by reads of
/// the same operation.
pub(super) fn request_kind(operation: Operation, method: &Method) -> RequestKind {
    match (operation, method) {
        (_, method) if method.is_safe() => RequestKind::Read,
        (Operation::DeleteIdentity, &Method::DELETE) => RequestKind::IdentityDelete,
        (_, &Method::DELETE) => RequestKind::Delete,
        (Operation::PutIdentity, _) => RequestKind::IdentityWrite,
        _ => RequestKind::Write,
    }
}
