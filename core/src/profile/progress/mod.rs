//! The identity and the role assignments while a plan is carried out, and the record after it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use crate::arm::ArmId;
use crate::names;
use crate::net_raw::NetRaw;
use crate::owner::Owner;
use crate::profile::desired::{Desired, Grantee};
use crate::profile::observed::{
    AzureIdentityFields, ManagedIdentity, Observed, ProfileRecord, RecordedIdentity,
    RecordedRoleAssignment, RoleAssignment,
};
use crate::profile::plan::{Plan, RoleGrant, Step, is_ours, made_for};

/// Provider and type of a role assignment.
const ROLE_ASSIGNMENT_TYPE: &str = "Microsoft.Authorization/roleAssignments";

/// A profile's identity and role assignments while its plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanProgress {
    /// The identity, once it is there.
    pub identity: Option<ManagedIdentity>,
    /// See [`ProfileRecord::creating`].
    pub creating: BTreeSet<ArmId>,
    /// Role assignments to record.
    pub role_assignments: Vec<RecordedRoleAssignment>,
}

/// The record to write before `plan` is carried out: with the identities that it creates. Otherwise, after a crash and
/// another name, podid would not know that it made them, and would never delete them.
#[must_use]
pub fn record_before(plan: &Plan, record: &ProfileRecord) -> ProfileRecord {
    let created = plan.steps.iter().filter_map(|step| match step {
        Step::CreateIdentity { id, .. } => Some(id),
        _ => None,
    });
    let is_recorded = |id: &ArmId| record.identity.as_ref().is_some_and(|it| it.id == *id);
    let begun = created.filter(|id| !is_recorded(id)).cloned();
    ProfileRecord {
        creating: record.creating.iter().cloned().chain(begun).collect(),
        ..record.clone()
    }
}

impl PlanProgress {
    /// The state before the first step. Role assignments that podid made stay recorded until they are
    /// revoked.
    #[must_use]
    pub fn begin(plan: &Plan, observed: &Observed) -> Self {
        let held = |id: &ArmId| plan.held.iter().any(|held| held.id == *id);
        let recorded = observed.record.role_assignments.iter();
        let made = recorded.filter(|entry| entry.created && !held(&entry.id));
        Self {
            identity: observed.identity.clone(),
            creating: record_before(plan, &observed.record).creating,
            role_assignments: plan.held.iter().chain(made).cloned().collect(),
        }
    }

    /// Adds the role assignments that `plan` is about to make, and returns whether there are any. The caller
    /// must write them to the status before it makes the first. Otherwise, after a crash, podid would not
    /// know that it made them, and would never revoke them.
    pub fn expect_grants(&mut self, plan: &Plan, owner: &Owner) -> bool {
        let before = self.role_assignments.len();
        for step in &plan.steps {
            let (Step::GrantRole(grant) | Step::GrantNodeRole(grant)) = step else {
                continue;
            };
            // A role that is still a name is looked up with its step; its assignment is recognised by
            // name and description until then.
            let wanted = grant.role.id().and_then(|role| self.wanted(grant, role));
            if let Some(wanted) = wanted.filter(|_| is_own(grant, owner)) {
                self.remember(wanted);
            }
        }
        self.role_assignments.len() != before
    }

    /// The role assignment for a grant; `None` while its principal does not exist.
    #[must_use]
    pub fn wanted(&self, grant: &RoleGrant, role: Uuid) -> Option<RecordedRoleAssignment> {
        let principal_id = match &grant.to {
            Grantee::Identity => self.identity.as_ref()?.principal_id.clone(),
            Grantee::Kubelet(principal) => principal.clone(),
        };
        let name = names::role_assignment(&grant.scope, &role, &principal_id);
        let id = format!("{}/providers/{ROLE_ASSIGNMENT_TYPE}/{name}", grant.scope);
        Some(RecordedRoleAssignment {
            id: ArmId::new(id),
            role: grant.role.to_string(),
            scope: grant.scope.clone(),
            principal_id,
            created: true,
        })
    }

    /// Records that Azure has `given` for `wanted`: the same, or an equal one of another name. It is not
    /// called for a grant that failed, which stays recorded: Azure may have made it although the answer was
    /// lost.
    pub fn granted(
        &mut self,
        grant: &RoleGrant,
        owner: &Owner,
        wanted: &RecordedRoleAssignment,
        given: RecordedRoleAssignment,
    ) {
        self.forget(&wanted.id);
        if is_own(grant, owner) {
            self.remember(given);
        }
    }

    /// Records that the role assignment of this id is deleted.
    pub fn revoked(&mut self, assignment: &ArmId) {
        self.forget(assignment);
    }

    /// The desired fields of the AzureIdentity. The ids of an identity that was created since the plan was
    /// made count before those of the plan.
    #[must_use]
    pub fn azure_identity_fields(
        &self,
        resource_id: &ArmId,
        client_id: Option<&str>,
        principal_id: Option<&str>,
        net_raw: NetRaw,
        former: &BTreeMap<ArmId, String>,
    ) -> AzureIdentityFields {
        let made = self.identity.as_ref();
        let client_id = made.map(|made| made.client_id.as_str()).or(client_id);
        let principal_id = made.map(|made| made.principal_id.as_str()).or(principal_id);
        AzureIdentityFields {
            resource_id: resource_id.clone(),
            client_id: client_id.unwrap_or_default().to_owned(),
            principal_id: principal_id.map(str::to_owned),
            namespaced: true,
            net_raw,
            former: former.clone(),
        }
    }

    /// The record to write, given the record that the plan was made from. An identity that the profile used
    /// before stays in the record until the plan is `finished`, since nothing else shows that it must still
    /// be deleted.
    #[must_use]
    pub fn record(
        &self,
        desired: &Desired,
        before: &ProfileRecord,
        finished: bool,
    ) -> ProfileRecord {
        let recorded = before.identity.as_ref();
        let has_former = recorded.is_some_and(|old| old.id != desired.identity.id);
        let used = self.identity.as_ref().filter(|_| finished || !has_former);
        let used = used.map(|identity| RecordedIdentity {
            id: identity.id.clone(),
            client_id: identity.client_id.clone(),
            principal_id: identity.principal_id.clone(),
            tenant_id: identity.tenant_id.clone(),
            created: made_for(identity, &desired.owner, before),
        });
        let mut creating = self.creating.clone();
        creating.retain(|id| !finished && used.as_ref().is_none_or(|used| used.id != *id));
        ProfileRecord {
            identity: used.or_else(|| before.identity.clone()),
            creating,
            ..self.record_of_roles(before)
        }
    }

    /// The record to write after a plan that leaves the identity what it was.
    #[must_use]
    pub fn record_of_roles(&self, before: &ProfileRecord) -> ProfileRecord {
        let mut role_assignments = self.role_assignments.clone();
        // Sorted, because a status whose order changes would be written again and again.
        role_assignments.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        ProfileRecord {
            identity: before.identity.clone(),
            creating: before.creating.clone(),
            role_assignments,
        }
    }

    fn remember(&mut self, entry: RecordedRoleAssignment) {
        self.forget(&entry.id);
        self.role_assignments.push(entry);
    }

    fn forget(&mut self, id: &ArmId) {
        self.role_assignments.retain(|entry| entry.id != *id);
    }
}

/// The equal role assignment that exists under another name, out of those that Azure lists. It counts as made
/// by podid only if it has podid's marks, so that somebody else's is never revoked.
#[must_use]
pub fn equal_assignment(
    listed: &[RoleAssignment],
    wanted: &RecordedRoleAssignment,
    role: Uuid,
    owner: &Owner,
    record: &ProfileRecord,
) -> Option<RecordedRoleAssignment> {
    let mut listed = listed.iter();
    let equal = listed.find(|listed| listed.role == role && listed.scope == wanted.scope)?;
    Some(RecordedRoleAssignment {
        id: equal.id.clone(),
        created: is_ours(equal, owner, record),
        ..wanted.clone()
    })
}

/// Whether a grant is this profile's own, and not one for all profiles of the cluster. The latter is not
/// revoked with a profile, so it is not recorded for one.
fn is_own(grant: &RoleGrant, owner: &Owner) -> bool {
    grant.description == owner.marker()
}

#[cfg(test)]
mod tests;
