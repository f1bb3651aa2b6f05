//! Azure's words and errors as those of core, and back.

use std::collections::BTreeSet;

use podid_azure::{
    AzureError, ComputeIdentity, ComputeTarget, ErrorClass, IdentityId, IdentityPatch,
    ResourceGroupId, ResourceIdentityType,
};
use podid_core::arm::ArmId;
use podid_core::target::{
    Target, TargetError, TargetErrorClass, TargetKind, TargetObservation, TargetPatch,
};

pub(crate) fn target_error(error: &AzureError) -> TargetError {
    let named = error.named_identities();
    TargetError {
        class: class_of(error.class()),
        refused: matches!(
            error,
            AzureError::Refused { .. } | AzureError::OperationEnded { .. }
        ),
        code: error.code().map(str::to_owned),
        named: named.iter().map(arm_id).collect(),
        retry_after: error.retry_after(),
        next_step: error.next_step(),
        message: error.to_string(),
    }
}

fn class_of(class: ErrorClass) -> TargetErrorClass {
    match class {
        ErrorClass::Throttled { .. } => TargetErrorClass::Throttled,
        ErrorClass::Transient => TargetErrorClass::Transient,
        ErrorClass::Propagating => TargetErrorClass::Propagating,
        ErrorClass::NotFound => TargetErrorClass::NotFound,
        ErrorClass::Conflict => TargetErrorClass::Conflict,
        ErrorClass::PreconditionFailed => TargetErrorClass::PreconditionFailed,
        ErrorClass::Forbidden => TargetErrorClass::Forbidden,
        ErrorClass::Unauthenticated => TargetErrorClass::Unauthenticated,
        ErrorClass::Invalid => TargetErrorClass::Invalid,
        // The set may grow; what is new was not understood.
        _ => TargetErrorClass::Unexpected,
    }
}

pub(super) fn observation(read: &ComputeIdentity) -> TargetObservation {
    let client_ids = read.client_ids.iter();
    TargetObservation {
        user_assigned: read.user_assigned.iter().map(arm_id).collect(),
        client_ids: client_ids
            .map(|(id, client_id)| (arm_id(id), client_id.clone()))
            .collect(),
        system_assigned: read.kind.system_assigned,
        etag: read.etag.clone(),
        provisioning_state: read.provisioning_state.clone(),
    }
}

pub(super) fn identity_patch(patch: &TargetPatch) -> IdentityPatch {
    let on = &patch.on;
    let current = ComputeIdentity {
        kind: ResourceIdentityType {
            system_assigned: on.system_assigned,
            user_assigned: !on.user_assigned.is_empty(),
        },
        user_assigned: azure_ids(&on.user_assigned).collect(),
        ..ComputeIdentity::default()
    };
    let plan = &patch.plan;
    IdentityPatch::new(&current, azure_ids(&plan.add), azure_ids(&plan.remove))
}

pub(super) fn compute_target(target: &Target) -> ComputeTarget {
    let group = ResourceGroupId::new(target.subscription(), target.resource_group());
    let name = target.name().to_owned();
    match target.kind() {
        TargetKind::Vm => ComputeTarget::Vm { group, name },
        TargetKind::ScaleSet => ComputeTarget::ScaleSet { group, name },
    }
}

fn arm_id(id: &IdentityId) -> ArmId {
    ArmId::new(id.to_string())
}

/// What is planned was read from well-formed ids, so nothing is lost here.
fn azure_ids(ids: &BTreeSet<ArmId>) -> impl Iterator<Item = IdentityId> {
    ids.iter().filter_map(|id| id.as_str().parse().ok())
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};
    use podid_core::target::TargetFailure;

    use super::*;

    fn failure_of(error: &AzureError, identity: Option<&ArmId>) -> TargetFailure {
        TargetFailure::of_azure(&target_error(error), identity)
    }

    fn refused(status: u16, code: &str) -> AzureError {
        let reply = Reply::new(status, code, "Azure's own words.");
        AzureError::refused(Operation::PatchComputeIdentity, "/subscriptions/s", reply)
    }

    #[test]
    fn what_waiting_does_not_mend_is_told_from_what_it_does() {
        use podid_core::target::Persistence::{Permanent, Transient, Unconfirmed};
        let table = [
            (403, "LinkedAuthorizationFailed", Permanent),
            (403, "AuthorizationFailed", Permanent),
            (403, "RequestDisallowedByPolicy", Permanent),
            (409, "ScopeLocked", Permanent),
            (400, "FailedIdentityOperation", Unconfirmed),
            (404, "ResourceNotFound", Unconfirmed),
            (404, "SubscriptionNotFound", Unconfirmed),
            (400, "InvalidParameter", Unconfirmed),
            (401, "ExpiredAuthenticationToken", Transient),
            (409, "Conflict", Transient),
            (412, "PreconditionFailed", Transient),
            (429, "TooManyRequests", Transient),
            (500, "InternalServerError", Transient),
            (503, "", Transient),
            (404, "", Transient),
            (403, "", Transient),
        ];
        for (status, code, expected) in table {
            let failure = failure_of(&refused(status, code), None);
            assert_eq!(failure.persistence, expected, "{status} {code}");
            let again = failure.after(2).persistence;
            let believed = if expected == Unconfirmed {
                Permanent
            } else {
                expected
            };
            assert_eq!(again, believed, "{status} {code}");
        }
        let unanswered = AzureError::NoAnswer {
            operation: Operation::PatchComputeIdentity,
            resource: "/x".into(),
            host: "arm".into(),
            source: "connection reset".into(),
        };
        assert_eq!(failure_of(&unanswered, None).persistence, Transient);
    }

    #[test]
    fn a_failure_begins_with_the_identity_and_the_next_step() {
        let error = refused(403, "LinkedAuthorizationFailed");
        let failure = failure_of(&error, Some(&ArmId::new("/id/web")));
        let (step, message) = (error.next_step(), &failure.cause.message);
        assert!(
            message.starts_with(&format!(
                "identity /id/web cannot be put on a VM or scale set: {step}. "
            )),
            "{message}"
        );
        assert!(message.ends_with("Azure's own words."), "{message}");
        let id = crate::target::fake::id("web");
        let reply = Reply::new(
            403,
            "LinkedAuthorizationFailed",
            format!("scope(s) '{id}' or"),
        );
        let error = AzureError::refused(Operation::PatchComputeIdentity, "/subscriptions/s", reply);
        let message = failure_of(&error, Some(&id)).cause.message;
        let first = message.split(". ").next().unwrap_or_default();
        assert_eq!(first.matches(id.as_str()).count(), 1, "{message}");
    }
}
