//! The status of a profile: the record of what podid made, and the conditions.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::condition::{self, Condition};
use podid_core::profile::ConditionType;
use podid_core::profile::observed::ProfileRecord;
use podid_core::profile::result::{ReconcileResult, applied_spec, is_binding_applied};
use podid_crds::convert;
use podid_crds::podid::{
    BindingStatus, IdentityStatus, PodIdentityProfile, PodIdentityProfileStatus,
    RoleAssignmentStatus,
};
use serde_json::json;

use crate::annotations::REQUESTED_AT;

use super::{ProfileContext, pods, spec_digest};
use crate::conditions::{from_kubernetes, now, to_kubernetes};
use crate::{FIELD_MANAGER, events};

/// Writes the status over that of `latest`, returns the profile with it, and publishes an Event when
/// `Ready` is another than that of `profile`, where the reconciliation began.
pub(super) async fn conclude(
    profile: &PodIdentityProfile,
    latest: &PodIdentityProfile,
    result: &ReconcileResult,
    context: &ProfileContext,
) -> Result<PodIdentityProfile, kube::Error> {
    let updated = updated(latest, result);
    write(&context.client, latest, &updated).await?;
    let conditions = |profile: &PodIdentityProfile| {
        let status = profile.status.clone().unwrap_or_default();
        status.conditions.unwrap_or_default()
    };
    let (before, after) = (conditions(profile), conditions(&updated));
    events::transition(&context.events, &profile.object_ref(&()), &before, &after);
    Ok(updated)
}

/// The profile with the status that `result` comes to; its transition times follow from the
/// status it has.
pub(super) fn updated(
    profile: &PodIdentityProfile,
    result: &ReconcileResult,
) -> PodIdentityProfile {
    let old = profile.status.clone().unwrap_or_default();
    let generation = profile.meta().generation.unwrap_or_default();
    let before = pods::without_pods(old.clone()).conditions;
    let before: Vec<Condition<meta::Time>> = before.iter().flatten().map(from_kubernetes).collect();
    let conditions = condition::conditions(
        &result.outcome,
        &ConditionType::ALL,
        &result.sub_conditions,
        generation,
        &now(),
        &before,
    );
    let (identity, role_assignments) = record_status(&result.record);
    let digest = spec_digest::digest(&profile.spec);
    let status = PodIdentityProfileStatus {
        observed_generation: Some(generation),
        conditions: Some(conditions.into_iter().map(to_kubernetes).collect()),
        identity,
        creating: creating(&result.record),
        role_assignments,
        binding: binding(profile, result).or_else(|| old.binding.clone()),
        planned_changes: (!result.planned.is_empty()).then(|| result.planned.clone()),
        applied_spec: applied_spec(result, digest, old.applied_spec.clone()),
        last_handled_reconcile_at: profile.annotations().get(REQUESTED_AT).cloned(),
        ..PodIdentityProfileStatus::default()
    };
    PodIdentityProfile {
        status: Some(pods::keeping_pods(status, &old)),
        ..profile.clone()
    }
}

fn creating(record: &ProfileRecord) -> Option<Vec<String>> {
    let ids: Vec<String> = record.creating.iter().map(ToString::to_string).collect();
    (!ids.is_empty()).then_some(ids)
}

/// The other fields of the status that hold the record.
fn record_status(
    record: &ProfileRecord,
) -> (Option<IdentityStatus>, Option<Vec<RoleAssignmentStatus>>) {
    let identity = record.identity.as_ref().map(|identity| IdentityStatus {
        resource_id: identity.id.to_string(),
        client_id: identity.client_id.clone(),
        principal_id: identity.principal_id.clone(),
        tenant_id: identity.tenant_id.clone(),
        created: identity.created,
    });
    let assignments = record.role_assignments.iter();
    let assignments = assignments.map(|assignment| RoleAssignmentStatus {
        id: assignment.id.to_string(),
        role: assignment.role.clone(),
        scope: assignment.scope.to_string(),
        principal_id: assignment.principal_id.clone(),
        created: assignment.created,
    });
    let assignments: Vec<RoleAssignmentStatus> = assignments.collect();
    (identity, (!assignments.is_empty()).then_some(assignments))
}

/// The binding of the spec, if this reconciliation found it applied.
fn binding(profile: &PodIdentityProfile, result: &ReconcileResult) -> Option<BindingStatus> {
    is_binding_applied(result).then(|| {
        let wanted = convert::profile(profile, BTreeMap::new());
        BindingStatus {
            selector: wanted.selector,
            net_raw: wanted.net_raw,
        }
    })
}

/// Writes the status of `updated`, unless it is that of `profile`.
pub(super) async fn write(
    client: &Client,
    profile: &PodIdentityProfile,
    updated: &PodIdentityProfile,
) -> Result<(), kube::Error> {
    if profile.status == updated.status {
        return Ok(());
    }
    // Bound pods are counted, and so owned, elsewhere.
    let status = pods::without_pods(updated.status.clone().unwrap_or_default());
    let namespace = profile.namespace().unwrap_or_default();
    let body = json!({
        "apiVersion": PodIdentityProfile::api_version(&()),
        "kind": PodIdentityProfile::kind(&()),
        // The uid keeps the status off a profile that was made anew under the same name.
        "metadata": { "name": profile.name_any(), "namespace": namespace, "uid": profile.uid() },
        "status": status,
    });
    let api: Api<PodIdentityProfile> = Api::namespaced(client.clone(), &namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&profile.name_any(), &params, &Patch::Apply(&body))
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use podid_core::condition::{ConditionStatus, ReconcileOutcome, SubCondition};
    use podid_core::net_raw::NetRaw;
    use podid_core::profile::result::Requeue;

    use super::*;

    fn profile(selector: &str, net_raw: &str) -> PodIdentityProfile {
        let spec = json!({
            "className": "standard", "netRaw": net_raw, "binding": {"selector": selector},
        });
        PodIdentityProfile::new("shop", serde_json::from_value(spec).unwrap())
    }

    fn result(
        outcome: ReconcileOutcome,
        bound: ConditionStatus,
        planned: &[&str],
    ) -> ReconcileResult {
        let part = SubCondition {
            kind: "BindingReady",
            status: bound,
            reason: "Bound".into(),
            message: "bound".into(),
        };
        ReconcileResult {
            outcome,
            sub_conditions: vec![part],
            record: ProfileRecord::default(),
            planned: planned.iter().map(|&step| step.to_owned()).collect(),
            requeue: Requeue::AtInterval,
        }
    }

    fn suspended() -> ReconcileOutcome {
        ReconcileOutcome::Suspended {
            applied: false,
            pods_problem: None,
        }
    }

    fn refused() -> ReconcileOutcome {
        ReconcileOutcome::Stalled {
            reason: "NotAllowedByClass".into(),
            message: "no".into(),
        }
    }

    /// Admission goes by this field, so only what was applied may change it.
    #[test]
    fn the_binding_in_the_status_is_the_one_that_was_applied() {
        let ready = ReconcileOutcome::Ready {
            message: "ready".into(),
        };
        let applied = updated(
            &profile("a", "Enforce"),
            &result(ready, ConditionStatus::True, &[]),
        );
        let binding = applied.status.clone().and_then(|status| status.binding);
        let wanted = BindingStatus {
            selector: "a".into(),
            net_raw: NetRaw::Enforce,
        };
        assert_eq!(binding.as_ref(), Some(&wanted));

        let edited = PodIdentityProfile {
            status: applied.status,
            ..profile("b", "Ignore")
        };
        for result in [
            result(refused(), ConditionStatus::False, &[]),
            result(
                refused(),
                ConditionStatus::True,
                &["apply AzureIdentityBinding"],
            ),
            ReconcileResult {
                sub_conditions: Vec::new(),
                ..result(suspended(), ConditionStatus::True, &[])
            },
        ] {
            let after = updated(&edited, &result).status.and_then(|s| s.binding);
            assert_eq!(after.as_ref(), Some(&wanted), "{result:?}");
        }
    }
}
