//! Effects: does what a plan says, step by step, and keeps account of what came of it.

use podid_azure::{RoleAssignmentSpec, UserAssignedIdentitySpec};
use podid_core::arm::ArmId;
use podid_core::names;
use podid_core::owner::Owner;
use podid_core::profile::desired::Grantee;
use podid_core::profile::observed::{
    IdentityObject, ManagedIdentity, Observed, RecordedRoleAssignment,
};
use podid_core::profile::plan::{Plan, RoleGrant, Step, is_ours, made_for};
use podid_core::role::Role;
use podid_crds::podid::PodIdentityProfile;
use uuid::Uuid;

use super::error::{Cause, Failure, Stage};
use super::{Context, children, observe};
use crate::assignment::Carried;
use crate::azure;

/// What is known of a profile's things while its plan is being done.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// The identity, once it is there.
    pub(super) identity: Option<ManagedIdentity>,
    /// Role assignments to remember.
    pub(super) assignments: Vec<RecordedRoleAssignment>,
    /// Steps done, in words.
    pub(super) done: Vec<String>,
    /// The profile with the status that was written while the plan was being done.
    pub(super) noted: Option<PodIdentityProfile>,
}

/// Does the steps of plans for one profile.
#[derive(Debug)]
pub(super) struct Applier<'a> {
    pub(super) profile: &'a PodIdentityProfile,
    pub(super) owner: &'a Owner,
    pub(super) observed: &'a Observed,
    pub(super) context: &'a Context,
}

impl Progress {
    /// Where doing a plan begins. What podid made stays remembered until it is taken back.
    pub(super) fn begin(plan: &Plan, observed: &Observed) -> Self {
        let held = |id: &ArmId| plan.held.iter().any(|held| held.id == *id);
        let recorded = observed.record.assignments.iter();
        let made = recorded.filter(|entry| entry.created && !held(&entry.id));
        Self {
            identity: observed.identity.clone(),
            assignments: plan.held.iter().chain(made).cloned().collect(),
            done: Vec::new(),
            noted: None,
        }
    }

    fn remember(&mut self, entry: RecordedRoleAssignment) {
        self.forget(&entry.id);
        self.assignments.push(entry);
    }

    fn forget(&mut self, id: &ArmId) {
        self.assignments.retain(|entry| entry.id != *id);
    }
}

impl Applier<'_> {
    /// Notes the role assignments that `plan` is about to make, so that one made in the moment of
    /// a crash is still known to be ours. Whoever calls writes them down before going on.
    pub(super) fn intend(&self, plan: &Plan, progress: &mut Progress) -> bool {
        let before = progress.assignments.len();
        for step in &plan.steps {
            let (Step::GrantRole(access) | Step::GrantNodeRole(access)) = step else {
                continue;
            };
            let known = access.role.id().zip(principal(access, progress));
            if let Some((role, principal)) = known.filter(|_| self.is_own(access)) {
                progress.remember(entry(access, role, &principal));
            }
        }
        progress.assignments.len() != before
    }

    /// Does one step.
    pub(super) async fn perform(
        &self,
        step: &Step,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let stage = stage(step);
        tracing::info!(step = %step, "doing");
        self.effect(step, progress)
            .await
            .map_err(|cause| stage.failed(cause))?;
        self.context.metrics.step_done(step.name());
        progress.done.push(step.to_string());
        Ok(())
    }

    async fn effect(&self, step: &Step, progress: &mut Progress) -> Result<(), Cause> {
        let client = &self.context.client;
        match step {
            Step::CreateIdentity { id, location, tags }
            | Step::UpdateTags { id, location, tags } => {
                let spec = UserAssignedIdentitySpec {
                    location: location.clone(),
                    tags: tags.clone(),
                };
                let parsed =
                    azure::identity_id(id).ok_or_else(|| Cause::NotAnIdentity(id.clone()))?;
                let made = self.context.azure.identities.put(&parsed, &spec).await?;
                progress.identity = Some(observe::seen(id, made));
                Ok(())
            }
            // A note in the record, which is written with the status.
            Step::AdoptIdentity { .. } => Ok(()),
            Step::GrantRole(access) | Step::GrantNodeRole(access) => {
                self.grant(access, progress).await
            }
            Step::RevokeRole { assignment, .. } => {
                self.context.azure.roles.delete(assignment.as_str()).await?;
                progress.forget(assignment);
                Ok(())
            }
            Step::ApplyAzureIdentity {
                resource_id,
                client_id,
                principal_id,
                net_raw,
                ..
            } => {
                let (made, planned) = (progress.identity.as_ref(), Option::clone);
                let client_id = made
                    .map(|made| made.client_id.clone())
                    .or(planned(client_id));
                let principal_id = made
                    .map(|made| made.principal_id.clone())
                    .or(planned(principal_id));
                let object = IdentityObject {
                    resource_id: resource_id.clone(),
                    client_id: client_id.unwrap_or_default(),
                    principal_id,
                    namespaced: true,
                    net_raw: *net_raw,
                };
                children::apply_identity(self.profile, client, &object).await
            }
            Step::ApplyBinding { binding, .. } => {
                children::apply_binding(self.profile, client, binding).await
            }
            Step::DeleteBinding { .. } => children::delete_binding(self.profile, client).await,
            Step::DeleteAzureIdentity { .. } => {
                children::delete_identity(self.profile, client).await
            }
            Step::AwaitUnassigned { id } => self.unassigned(id),
            Step::DeleteIdentity { id } => self.delete(id).await,
        }
    }

    /// Machines may have taken long to let go of it: whose it is has to be true now.
    async fn delete(&self, id: &ArmId) -> Result<(), Cause> {
        let parsed = azure::identity_id(id).ok_or_else(|| Cause::NotAnIdentity(id.clone()))?;
        let shown = observe::identity(id, self.context).await?;
        if shown.is_some_and(|shown| !made_for(&shown, self.owner, &self.observed.record)) {
            return Err(Cause::NotOursAnyMore(id.clone()));
        }
        self.context.azure.identities.delete(&parsed).await?;
        Ok(())
    }

    async fn grant(&self, access: &RoleGrant, progress: &mut Progress) -> Result<(), Cause> {
        let role = self.role(access).await?;
        let Some(principal) = principal(access, progress) else {
            // The plan creates the identity first.
            return Err(Cause::NotAnIdentity(access.scope.clone()));
        };
        let wanted = entry(access, role, &principal);
        let spec = RoleAssignmentSpec {
            role_definition_id: definition_id(&access.scope, role),
            principal_id: principal.clone(),
            description: Some(access.description.clone()),
        };
        let name = names::role_assignment(&access.scope, &role, &principal);
        let given = match self
            .context
            .azure
            .roles
            .put(access.scope.as_str(), name, &spec)
            .await
        {
            Ok(made) => RecordedRoleAssignment {
                id: ArmId::new(made.id),
                ..wanted.clone()
            },
            Err(error) if error.code() == Some("RoleAssignmentExists") => {
                match self.existing(access, role, &principal).await? {
                    Some(found) => RecordedRoleAssignment {
                        role: access.role.to_string(),
                        ..found
                    },
                    None => return Err(error.into()),
                }
            }
            // It stays noted: it may have been made without our hearing of it, and a note that is
            // there already need not be written before the next try.
            Err(error) => return Err(error.into()),
        };
        progress.forget(&wanted.id);
        if self.is_own(access) {
            progress.remember(given);
        }
        Ok(())
    }

    async fn role(&self, access: &RoleGrant) -> Result<Uuid, Cause> {
        match &access.role {
            Role::Known(id) => Ok(*id),
            Role::Named(name) => {
                let found = observe::role_id(name, &access.scope, self.context).await?;
                let (role, scope) = (name.clone(), access.scope.clone());
                found.ok_or(Cause::NoRole { role, scope })
            }
        }
    }

    /// The equal assignment that Azure says exists under another name.
    async fn existing(
        &self,
        access: &RoleGrant,
        role: Uuid,
        principal: &str,
    ) -> Result<Option<RecordedRoleAssignment>, Cause> {
        let scope = access.scope.as_str();
        let found = self
            .context
            .azure
            .roles
            .list_for_principal(scope, principal)
            .await?;
        let mut found = found.into_iter().filter_map(observe::assignment);
        let equal = found.find(|found| found.role == role && found.scope == access.scope);
        Ok(equal.map(|found| RecordedRoleAssignment {
            created: is_ours(&found, self.owner, &self.observed.record),
            id: found.id,
            ..entry(access, role, principal)
        }))
    }

    fn unassigned(&self, id: &ArmId) -> Result<(), Cause> {
        let machines = match self.context.assignments.still_assigned(id) {
            Carried::Nowhere => return Ok(()),
            Carried::Unknown => "machines that are not known yet".to_owned(),
            Carried::On(targets) => {
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                names.join(", ")
            }
        };
        Err(Cause::StillAssigned {
            id: id.clone(),
            machines,
        })
    }

    /// Whether a grant is this profile's own, and not one for all profiles of the cluster.
    fn is_own(&self, access: &RoleGrant) -> bool {
        access.description == self.owner.marker()
    }
}

fn principal(access: &RoleGrant, progress: &Progress) -> Option<String> {
    match &access.to {
        Grantee::Identity => progress
            .identity
            .as_ref()
            .map(|found| found.principal_id.clone()),
        Grantee::Kubelet(principal) => Some(principal.clone()),
    }
}

fn entry(access: &RoleGrant, role: Uuid, principal: &str) -> RecordedRoleAssignment {
    let name = names::role_assignment(&access.scope, &role, principal);
    let provider = "providers/Microsoft.Authorization/roleAssignments";
    RecordedRoleAssignment {
        id: ArmId::new(format!("{}/{provider}/{name}", access.scope)),
        role: access.role.to_string(),
        scope: access.scope.clone(),
        principal_id: principal.to_owned(),
        created: true,
    }
}

/// Full id of a role, in the subscription of the scope it is assigned at.
fn definition_id(scope: &ArmId, role: Uuid) -> String {
    let subscription = scope.subscription().unwrap_or_default();
    format!(
        "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    )
}

fn stage(step: &Step) -> Stage {
    match step {
        Step::CreateIdentity { .. }
        | Step::AdoptIdentity { .. }
        | Step::UpdateTags { .. }
        | Step::AwaitUnassigned { .. }
        | Step::DeleteIdentity { .. } => Stage::Identity,
        Step::GrantRole(_) | Step::GrantNodeRole(_) | Step::RevokeRole { .. } => Stage::Access,
        Step::ApplyAzureIdentity { .. }
        | Step::ApplyBinding { .. }
        | Step::DeleteBinding { .. }
        | Step::DeleteAzureIdentity { .. } => Stage::Binding,
    }
}
