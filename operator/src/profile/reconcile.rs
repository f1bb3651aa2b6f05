//! One reconciliation: observe, decide, apply, write the status.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::profile::decide::Precheck;
use podid_core::profile::failure::StepFailure;
use podid_core::profile::finalizer::FINALIZER;
use podid_core::profile::in_progress::HELD_BACK;
use podid_core::profile::result::{ReconcileResult, Requeue};
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;
use tracing::Instrument;

use super::ensure::{Ensured, ensure};
use super::error::ReconcileError;
use crate::retry::jittered;

use super::{
    ProfileContext, cleanup, grace, in_progress, pods, precheck, status, suspended, withdraw,
};
use crate::events;
use crate::metrics::{Controller, CountedOutcome as Counted};

/// Brings one profile closer to what its author wants.
pub(super) async fn reconcile(
    profile: Arc<PodIdentityProfile>,
    context: Arc<ProfileContext>,
) -> Result<Action, ReconcileError> {
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    let object = ObjectRef::from_obj(profile.as_ref());
    let span = tracing::info_span!("reconcile", profile = %object);
    Box::pin(current(profile, context)).instrument(span).await
}

/// Works on the profile as it is now. The one in the cache may be older than our own last write,
/// and its status is the record of what we made.
async fn current(
    cached: Arc<PodIdentityProfile>,
    context: Arc<ProfileContext>,
) -> Result<Action, ReconcileError> {
    let namespace = cached.namespace().unwrap_or_default();
    let api: Api<PodIdentityProfile> = Api::namespaced(context.client.clone(), &namespace);
    let found = api
        .get_opt(&cached.name_any())
        .await
        .map_err(ReconcileError::Profile)?;
    let Some(profile) = found else {
        context.retries.forget(&cached.uid().unwrap_or_default());
        return Ok(Action::await_change());
    };
    let serves = grace::wait_for_pods(&profile, &context).await;
    if let Some(wait) = serves.map_err(ReconcileError::Profile)? {
        return Ok(Action::requeue(wait));
    }
    if profile.meta().deletion_timestamp.is_some() {
        cleanup::unbind(&profile, &context).await?;
        if let Some(wait) = azure_wait(&profile, &context) {
            return Ok(Action::requeue(wait));
        }
    }
    let finished = finalizer(&api, FINALIZER, Arc::new(profile), |event| async {
        match event {
            finalizer::Event::Apply(profile) => apply(&profile, &context).await,
            finalizer::Event::Cleanup(profile) => cleanup::cleanup(&profile, &context).await,
        }
    });
    match finished.await {
        Ok(action) => Ok(action),
        Err(finalizer::Error::ApplyFailed(error) | finalizer::Error::CleanupFailed(error)) => {
            Err(error)
        }
        Err(error) => Err(ReconcileError::Finalizer(Box::new(error))),
    }
}

async fn apply(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Result<Action, ReconcileError> {
    let started = Instant::now();
    let record = convert::record(profile);
    let ensured = match precheck::precheck(profile, context) {
        Precheck::Admitted(desired) => {
            if let Some(wait) = azure_wait(profile, context) {
                return Ok(Action::requeue(wait));
            }
            ensure(profile, &desired, record, context).await
        }
        Precheck::Withdrawn(withdrawal) => {
            if let Some(wait) = azure_wait(profile, context) {
                return Ok(Action::requeue(wait));
            }
            withdraw::withdraw(profile, &withdrawal, record, context).await
        }
        Precheck::Suspended => {
            Ensured::without_work(suspended::look(profile, record, context).await)
        }
        other => match other.outcome() {
            Some(outcome) => Ensured::without_work(ReconcileResult::without_work(outcome, record)),
            None => return Ok(Action::await_change()),
        },
    };
    let Ensured {
        result,
        done,
        latest,
    } = ensured;
    let latest = latest.as_ref().unwrap_or(profile);
    events::done(&context.events, &profile.object_ref(&()), &done);
    let counted = Counted::of(&result.outcome);
    if let Requeue::InTurn { after } = result.requeue {
        if !done.is_empty() {
            in_progress::note(latest, HELD_BACK, result.record, context)
                .await
                .map_err(ReconcileError::Profile)?;
        }
        context
            .metrics
            .reconciled(Controller::Profile, counted, started.elapsed());
        return Err(ReconcileError::HeldBack { after });
    }
    let updated = status::conclude(profile, latest, &result, context)
        .await
        .map_err(ReconcileError::Profile)?;
    pods::count(&updated, context)
        .await
        .map_err(ReconcileError::Profile)?;
    context.reminders.remind(&updated, &context.events);
    context
        .metrics
        .reconciled(Controller::Profile, counted, started.elapsed());
    Ok(action(profile, result.requeue, context))
}

/// How long Azure is to be left alone for a profile. Many changes are a reason to look at a profile before
/// Azure's `Retry-After` is over: of its class, its namespace, its pods.
pub(super) fn azure_wait(
    profile: &PodIdentityProfile,
    context: &ProfileContext,
) -> Option<Duration> {
    context
        .retries
        .azure_wait(&profile.uid().unwrap_or_default())
}

/// When the controller looks at the profile again.
pub(super) fn action(
    profile: &PodIdentityProfile,
    requeue: Requeue,
    context: &ProfileContext,
) -> Action {
    let uid = profile.uid().unwrap_or_default();
    match requeue {
        Requeue::WithBackoff { at_least } => Action::requeue(context.retries.again(&uid, at_least)),
        Requeue::OnChange => {
            context.retries.forget(&uid);
            Action::await_change()
        }
        // The queue has it come again.
        Requeue::InTurn { .. } => Action::await_change(),
        Requeue::AtInterval => {
            context.retries.forget(&uid);
            let interval = convert::profile(profile, Default::default()).interval;
            Action::requeue(jittered(interval.or(context.interval)))
        }
    }
}

/// What the controller does after a reconciliation that failed.
pub(super) fn after_error(
    profile: Arc<PodIdentityProfile>,
    error: &ReconcileError,
    context: Arc<ProfileContext>,
) -> Action {
    let failure = error.failure();
    let at_least = failure.as_ref().and_then(StepFailure::retry_after);
    let uid = profile.uid().unwrap_or_default();
    let wait = context.retries.again(&uid, at_least);
    let (namespace, name) = (profile.namespace(), profile.name_any());
    if failure.as_ref().is_some_and(StepFailure::is_wait) {
        tracing::info!(
            namespace,
            name,
            "deletion waits until Azure is done with the identity"
        );
    } else {
        let error = error as &dyn std::error::Error;
        tracing::warn!(namespace, name, error, retry_in = ?wait, "profile not reconciled");
    }
    Action::requeue(wait)
}
