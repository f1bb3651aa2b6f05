//! Deletion: nothing is left of a profile but what its policy keeps.

use std::time::Instant;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use podid_core::profile::observed::ProfileRecord;
use podid_core::profile::plan::{Retained, deletion_scope, plan_deletion, retained};
use podid_core::profile::progress::PlanProgress;
use podid_core::profile::result::{ReconcileResult, Requeue};
use podid_core::profile::{ConditionType, DeletionPolicy};
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::apply::Applier;
use super::context::has_finalizer;
use super::error::{ReconcileError, StepError};
use super::observe::{ReadScope, observe};
use super::precheck::{core_class, core_profile};
use super::{ProfileContext, children, shared_roles, status};
use crate::events;
use crate::metrics::{Controller, CountedOutcome as Counted};

/// Takes the identity from the pods of a profile that is being deleted, before anything else and whether Azure answers or
/// not. A binding that the watch does not show yet goes with the first step of the plan.
pub(super) async fn unbind(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Result<(), ReconcileError> {
    let watched = children::watched(profile, &context.children);
    if has_finalizer(profile) && watched.binding.is_some_and(|binding| binding.owned) {
        let deleted = children::delete_binding(profile, &context.client).await;
        let unbound = deleted.map_err(|cause| cause.at(ConditionType::BindingReady));
        unbound.map_err(ReconcileError::Unfinished)?;
    }
    Ok(())
}

/// Undoes everything; returns when the finalizer may go.
pub(super) async fn cleanup(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Result<Action, ReconcileError> {
    let started = Instant::now();
    let record = convert::record(profile);
    let undone = Box::pin(undo(profile, record.clone(), context)).await;
    let counted = match &undone {
        Ok(_) => Counted::Deleted,
        Err(_) => Counted::Progressing,
    };
    context
        .metrics
        .reconciled(Controller::Profile, counted, started.elapsed());
    match undone {
        Ok(retained) => {
            if let Some(retained) = retained {
                let object = profile.object_ref(&());
                events::retained(&context.events, &object, &retained);
            }
            let uid = profile.uid().unwrap_or_default();
            context.retries.forget(&uid);
            context.reminders.forget(&uid);
            Ok(Action::await_change())
        }
        Err(error) => {
            let result = ReconcileResult::deletion_failed(&error.failure(), record);
            if let Requeue::InTurn { after } = result.requeue {
                return Err(ReconcileError::HeldBack { after });
            }
            status::conclude(profile, profile, &result, context)
                .await
                .map_err(ReconcileError::Profile)?;
            Err(ReconcileError::Unfinished(error))
        }
    }
}

/// Undoes what is to be undone, and returns what stays in Azure.
async fn undo(
    profile: &PodIdentityProfile,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Result<Option<Retained>, StepError> {
    let class = core_class(profile, context);
    let scope = deletion_scope(&core_profile(profile, context), class.as_ref(), &record);
    let read = ReadScope {
        profile,
        identity: scope.identity.as_ref(),
        grants: &scope.grants,
        record,
    };
    let observed = observe(read, context).await?;
    let plan = plan_deletion(&scope.deletion, &observed);
    let mut applier = Applier {
        profile,
        owner: &scope.deletion.owner,
        record: &observed.record,
        context,
        progress: PlanProgress::begin(&plan, &observed),
        done: Vec::new(),
    };
    for step in &plan.steps {
        applier.perform(step).await?;
    }
    if scope.deletion.policy == DeletionPolicy::Delete && shared_roles::was_made(profile) {
        let shared = shared_roles::plan(profile, &scope.deletion.owner, context).await?;
        for step in &shared.steps {
            applier.perform(step).await?;
        }
        if !shared.is_empty() {
            shared_roles::read_others_again(context);
        }
    }
    Ok(retained(&scope.deletion, &observed))
}

#[cfg(test)]
mod tests;
