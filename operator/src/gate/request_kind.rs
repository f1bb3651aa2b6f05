//! Which limit of Azure a call counts for.

use http::Method;
use podid_azure::Operation;
use podid_core::arm_budget::RequestKind;

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
