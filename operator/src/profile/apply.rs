//! Effects: does the steps of a plan one by one.

use podid_azure::{RoleAssignmentSpec, UserAssignedIdentitySpec};
use podid_core::arm::ArmId;
use podid_core::names;
use podid_core::owner::Owner;
use podid_core::profile::observed::{ProfileRecord, RecordedRoleAssignment, RoleAssignment};
use podid_core::profile::plan::{RoleGrant, Step, UsedBy, made_for};
use podid_core::profile::progress::{PlanProgress, equal_assignment};
use podid_core::role::Role;
use podid_core::target::TargetsWithIdentity;
use podid_crds::podid::PodIdentityProfile;
use uuid::Uuid;

use super::error::{ErrorCause, StepError};
use super::{ProfileContext, children, observe};
use crate::assigned_identity::ObjectKey;
use crate::azure;

/// Does the steps of one plan.
#[derive(Debug)]
pub(super) struct Applier<'a> {
    pub(super) profile: &'a PodIdentityProfile,
    pub(super) owner: &'a Owner,
    /// What was remembered before the plan.
    pub(super) record: &'a ProfileRecord,
    pub(super) context: &'a ProfileContext,
    pub(super) progress: PlanProgress,
    /// Steps that were done, in words.
    pub(super) done: Vec<String>,
}

impl Applier<'_> {
    /// Does one step.
    pub(super) async fn perform(&mut self, step: &Step) -> Result<(), StepError> {
        tracing::info!(step = %step, "doing");
        let effect = self.effect(step).await;
        effect.map_err(|cause| cause.at(step.condition()))?;
        self.context.metrics.step_done(step.name());
        self.done.push(step.done());
        Ok(())
    }

    async fn effect(&mut self, step: &Step) -> Result<(), ErrorCause> {
        let (profile, client) = (self.profile, &self.context.client);
        match step {
            Step::CreateIdentity { id, location, tags }
            | Step::UpdateTags { id, location, tags } => {
                let (location, tags) = (location.clone(), tags.clone());
                self.put_managed_identity(id, UserAssignedIdentitySpec { location, tags })
                    .await
            }
            // A note in the record, which is written with the status.
            Step::AdoptIdentity { .. } => Ok(()),
            Step::GrantRole(grant) | Step::GrantNodeRole(grant) => self.grant(grant).await,
            Step::RevokeRole { assignment, .. } => self.revoke(assignment).await,
            Step::ApplyAzureIdentity {
                resource_id,
                client_id,
                principal_id,
                net_raw,
                former,
                ..
            } => {
                let (client_id, principal_id) = (client_id.as_deref(), principal_id.as_deref());
                let object = self.progress.azure_identity_fields(
                    resource_id,
                    client_id,
                    principal_id,
                    *net_raw,
                    former,
                );
                children::apply_azure_identity(profile, client, &object).await
            }
            Step::ApplyBinding { binding, .. } => {
                children::apply_binding(profile, client, binding).await
            }
            Step::DeleteBinding { .. } => children::delete_binding(profile, client).await,
            Step::DeleteAzureIdentity { .. } => {
                children::delete_azure_identity(profile, client).await
            }
            Step::AwaitUnassigned { id, used_by } => self.unassigned(id, *used_by),
            Step::DeleteIdentity { id } => self.delete_managed_identity(id).await,
        }
    }

    async fn put_managed_identity(
        &mut self,
        id: &ArmId,
        spec: UserAssignedIdentitySpec,
    ) -> Result<(), ErrorCause> {
        let parsed = azure::identity_id(id).ok_or_else(|| ErrorCause::NotAnIdentity(id.clone()))?;
        let made = self.context.azure.identities.put(&parsed, &spec).await?;
        self.progress.identity = Some(observe::core_identity(id, made));
        Ok(())
    }

    /// Deletes the identity in Azure, unless its tags say that it is another's. They are read again now, because
    /// the wait until no VM or scale set has the identity may have been long.
    async fn delete_managed_identity(&self, id: &ArmId) -> Result<(), ErrorCause> {
        let parsed = azure::identity_id(id).ok_or_else(|| ErrorCause::NotAnIdentity(id.clone()))?;
        let shown = observe::identity(id, self.context).await?;
        if shown.is_some_and(|shown| !made_for(&shown, self.owner, self.record)) {
            return Err(ErrorCause::NotOwned(id.clone()));
        }
        self.context.azure.identities.delete(&parsed).await?;
        Ok(())
    }

    async fn grant(&mut self, grant: &RoleGrant) -> Result<(), ErrorCause> {
        let role = self.role(grant).await?;
        let Some(wanted) = self.progress.wanted(grant, role) else {
            // The plan creates the identity first.
            return Err(ErrorCause::NotAnIdentity(grant.scope.clone()));
        };
        let given = self.put_assignment(grant, role, &wanted).await?;
        self.progress.granted(grant, self.owner, &wanted, given);
        Ok(())
    }

    async fn revoke(&mut self, assignment: &ArmId) -> Result<(), ErrorCause> {
        self.context.azure.roles.delete(assignment.as_str()).await?;
        self.progress.revoked(assignment);
        Ok(())
    }

    async fn put_assignment(
        &self,
        grant: &RoleGrant,
        role: Uuid,
        wanted: &RecordedRoleAssignment,
    ) -> Result<RecordedRoleAssignment, ErrorCause> {
        let spec = RoleAssignmentSpec {
            role_definition_id: definition_id(&grant.scope, role),
            principal_id: wanted.principal_id.clone(),
            description: Some(grant.description.clone()),
        };
        let name = names::role_assignment(&grant.scope, &role, &wanted.principal_id);
        let roles = &self.context.azure.roles;
        match roles.put(grant.scope.as_str(), name, &spec).await {
            Ok(made) => Ok(RecordedRoleAssignment {
                id: ArmId::new(made.id),
                ..wanted.clone()
            }),
            Err(error) if error.code() == Some("RoleAssignmentExists") => {
                let listed = self.list_assignments(wanted).await?;
                let equal = equal_assignment(&listed, wanted, role, self.owner, self.record);
                equal.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn list_assignments(
        &self,
        wanted: &RecordedRoleAssignment,
    ) -> Result<Vec<RoleAssignment>, ErrorCause> {
        let (scope, principal) = (wanted.scope.as_str(), &wanted.principal_id);
        let roles = &self.context.azure.roles;
        let listed = roles.list_for_principal(scope, principal).await?;
        let listed = listed.into_iter().filter_map(observe::core_assignment);
        Ok(listed.collect())
    }

    async fn role(&self, grant: &RoleGrant) -> Result<Uuid, ErrorCause> {
        match &grant.role {
            Role::Known(id) => Ok(*id),
            Role::Named(name) => {
                let found = observe::role_id(name, &grant.scope, self.context).await?;
                let (role, scope) = (name.clone(), grant.scope.clone());
                found.ok_or(ErrorCause::RoleNotFound { role, scope })
            }
        }
    }

    fn unassigned(&self, id: &ArmId, used_by: UsedBy) -> Result<(), ErrorCause> {
        let assignment_view = &self.context.assignment_view;
        let still = match used_by {
            UsedBy::Profile => {
                let (namespace, profile) = (&self.owner.namespace, &self.owner.profile);
                assignment_view.still_assigned_for(id, &ObjectKey::new(namespace, profile))
            }
            UsedBy::Anyone => assignment_view.still_assigned(id),
        };
        let targets = match still {
            TargetsWithIdentity::Nowhere => return Ok(()),
            TargetsWithIdentity::Unknown => "VMs or scale sets that are not known yet".to_owned(),
            TargetsWithIdentity::On(targets) => {
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                names.join(", ")
            }
        };
        Err(ErrorCause::StillAssigned {
            id: id.clone(),
            targets,
        })
    }
}

/// Full id of a role, in the subscription of the scope it is assigned at.
fn definition_id(scope: &ArmId, role: Uuid) -> String {
    let subscription = scope.subscription().unwrap_or_default();
    format!(
        "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    )
}
