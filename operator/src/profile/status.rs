//! The status of a profile: the record of what podid made, and the conditions.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::arm::ArmId;
use podid_core::condition::{self, Condition, ConditionStatus, ReconcileOutcome, SubCondition};
use podid_core::profile::observed::{
    ManagedIdentity, ProfileRecord, RecordedIdentity, RecordedRoleAssignment,
};
use podid_crds::convert;
use podid_crds::podid::{
    BindingStatus, IdentityStatus, PodIdentityProfile, PodIdentityProfileStatus,
    RoleAssignmentStatus,
};
use serde_json::json;

use super::{REQUESTED_AT, applied, pods};
use crate::FIELD_MANAGER;
use crate::conditions::{from_kubernetes, now, to_kubernetes};

/// What a reconciliation says about a profile.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) outcome: ReconcileOutcome,
    /// Parts that something was found out about.
    pub(super) parts: Vec<SubCondition>,
    /// What is remembered from now on.
    pub(super) account: Account,
    /// Steps that were only planned.
    pub(super) planned: Vec<String>,
}

/// The record as the status holds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Account {
    pub(super) identity: Option<IdentityStatus>,
    pub(super) assignments: Vec<RoleAssignmentStatus>,
}

impl Account {
    /// What the status holds now.
    pub(super) fn of(profile: &PodIdentityProfile) -> Self {
        let status = profile.status.clone().unwrap_or_default();
        Self {
            identity: status.identity,
            assignments: status.role_assignments.unwrap_or_default(),
        }
    }

    /// The same in the words of `core`.
    pub(super) fn record(&self) -> ProfileRecord {
        let identity = self.identity.as_ref().map(|identity| RecordedIdentity {
            id: ArmId::new(&identity.resource_id),
            principal_id: identity.principal_id.clone(),
            created: identity.created,
        });
        let assignments = self
            .assignments
            .iter()
            .map(|assignment| RecordedRoleAssignment {
                id: ArmId::new(&assignment.id),
                role: assignment.role.clone(),
                scope: ArmId::new(&assignment.scope),
                principal_id: assignment.principal_id.clone(),
                created: assignment.created,
            });
        ProfileRecord {
            identity,
            assignments: assignments.collect(),
        }
    }

    /// Role assignments as they are to be remembered, in an order that does not change.
    pub(super) fn remember(&mut self, assignments: &[RecordedRoleAssignment]) {
        self.assignments = assignments
            .iter()
            .map(|assignment| RoleAssignmentStatus {
                id: assignment.id.to_string(),
                role: assignment.role.clone(),
                scope: assignment.scope.to_string(),
                principal_id: assignment.principal_id.clone(),
                created: assignment.created,
            })
            .collect();
        self.assignments.sort_by(|one, other| one.id.cmp(&other.id));
    }

    /// The identity that is in use from now on.
    pub(super) fn use_identity(&mut self, identity: &ManagedIdentity, created: bool) {
        self.identity = Some(IdentityStatus {
            resource_id: identity.id.to_string(),
            client_id: identity.client_id.clone(),
            principal_id: identity.principal_id.clone(),
            tenant_id: identity.tenant_id.clone(),
            created,
        });
    }
}

/// The profile with the status that `report` comes to; its transition times follow from the
/// status it has.
pub(super) fn updated(profile: &PodIdentityProfile, report: &Report) -> PodIdentityProfile {
    let old = profile.status.clone().unwrap_or_default();
    let generation = profile.meta().generation.unwrap_or_default();
    let before: Vec<Condition<meta::Time>> = pods::without_pods(old.clone())
        .conditions
        .iter()
        .flatten()
        .map(from_kubernetes)
        .collect();
    let conditions = condition::conditions(
        &report.outcome,
        &KINDS,
        &report.parts,
        generation,
        &now(),
        &before,
    );
    let planned = (!report.planned.is_empty()).then(|| report.planned.clone());
    let assignments = &report.account.assignments;
    let status = PodIdentityProfileStatus {
        observed_generation: Some(generation),
        conditions: Some(conditions.into_iter().map(to_kubernetes).collect()),
        identity: report.account.identity.clone(),
        role_assignments: (!assignments.is_empty()).then(|| assignments.clone()),
        binding: binding(profile, report).or_else(|| old.binding.clone()),
        planned_changes: planned,
        applied_spec: applied::after(profile, &report.outcome, &report.parts),
        last_handled_reconcile_at: profile.annotations().get(REQUESTED_AT).cloned(),
        ..PodIdentityProfileStatus::default()
    };
    PodIdentityProfile {
        status: Some(pods::keeping_pods(status, &old)),
        ..profile.clone()
    }
}

/// The binding of the spec, if this reconciliation found it applied.
fn binding(profile: &PodIdentityProfile, report: &Report) -> Option<BindingStatus> {
    let bound =
        |part: &SubCondition| part.kind == "BindingReady" && part.status == ConditionStatus::True;
    let applied = report.parts.iter().any(bound) && report.planned.is_empty();
    applied.then(|| {
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

/// Conditions of the parts, in the order in which they are shown.
const KINDS: [&str; 4] = [
    "IdentityReady",
    "AccessReady",
    "BindingReady",
    "EnforcementReady",
];

#[cfg(test)]
mod tests {
    use podid_core::net_raw::NetRaw;

    use super::*;

    fn profile(selector: &str, net_raw: &str) -> PodIdentityProfile {
        let spec = json!({
            "className": "standard", "netRaw": net_raw, "binding": {"selector": selector},
        });
        PodIdentityProfile::new("shop", serde_json::from_value(spec).unwrap())
    }

    fn report(outcome: ReconcileOutcome, bound: ConditionStatus, planned: &[&str]) -> Report {
        let part = SubCondition {
            kind: "BindingReady",
            status: bound,
            reason: "Bound".into(),
            message: "bound".into(),
        };
        Report {
            outcome,
            parts: vec![part],
            account: Account::default(),
            planned: planned.iter().map(|&step| step.to_owned()).collect(),
        }
    }

    fn suspended() -> ReconcileOutcome {
        ReconcileOutcome::Suspended {
            applied: false,
            hindrance: None,
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
            &report(ready, ConditionStatus::True, &[]),
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
        for report in [
            report(refused(), ConditionStatus::False, &[]),
            report(
                refused(),
                ConditionStatus::True,
                &["apply AzureIdentityBinding"],
            ),
            Report {
                parts: Vec::new(),
                ..report(suspended(), ConditionStatus::True, &[])
            },
        ] {
            let after = updated(&edited, &report).status.and_then(|s| s.binding);
            assert_eq!(after.as_ref(), Some(&wanted), "{report:?}");
        }
    }
}
