//! The story of one reconciliation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::condition::SubCondition;
use podid_core::profile::Drift;
use podid_core::profile::desired::Desired;
use podid_core::profile::plan::{self, Plan, Step};
use podid_crds::podid::PodIdentityProfile;
use tracing::Instrument;

use super::apply::{Applier, Progress};
use super::decide::{Decision, decide, interval};
use super::error::{Cause, Failure, Stage};
use super::observe::{Interest, observe};
use super::status::{self, Account, Report};
use super::verdict::{Again, Verdict};
use super::{Context, FINALIZER, cleanup, enforcement, pods, retry, suspended, underway};
use crate::events;
use crate::metrics::{Controller, Result as Counted};

/// Why a reconciliation could not be brought to its end, so that not even the status says so.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    #[error("cannot read or write the profile")]
    Profile(#[source] kube::Error),
    #[error("the deletion is not finished")]
    Unfinished(#[source] Failure),
    #[error("the finalizer cannot be changed")]
    Finalizer(#[source] Box<finalizer::Error<ReconcileError>>),
}

impl ReconcileError {
    /// Whether nothing is wrong but that machines still carry the identity.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Unfinished(failure) if matches!(*failure.cause, Cause::StillAssigned { .. }))
    }

    /// How long Azure asked to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unfinished(failure) => failure.cause.retry_after(),
            Self::Profile(_) | Self::Finalizer(_) => None,
        }
    }
}

/// Brings one profile closer to what its author wants.
pub(super) async fn reconcile(
    profile: Arc<PodIdentityProfile>,
    context: Arc<Context>,
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
    context: Arc<Context>,
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

async fn apply(profile: &PodIdentityProfile, context: &Context) -> Result<Action, ReconcileError> {
    let started = Instant::now();
    let account = Account::of(profile);
    let verdict = match decide(profile, context) {
        Decision::Pursue(desired) => pursue(profile, &desired, account, context).await,
        Decision::Say(outcome) => Verdict::without_work(outcome, account),
        Decision::Suspended => suspended::look(profile, account, context).await,
        Decision::Keep => return Ok(Action::await_change()),
    };
    let latest = verdict.noted.as_ref().unwrap_or(profile);
    events::done(&context.events, &profile.object_ref(&()), &verdict.done);
    let updated = conclude(profile, latest, &verdict.report, context).await?;
    pods::count(&updated, context)
        .await
        .map_err(ReconcileError::Profile)?;
    context.reminders.remind(&updated, &context.events);
    let result = Counted::of(&verdict.report.outcome);
    context
        .metrics
        .reconciled(Controller::Profile, result, started.elapsed());
    Ok(action(profile, verdict.again, context))
}

/// Writes the status over that of `latest`, returns the profile with it, and tells people when
/// `Ready` is another than that of `profile`, where the reconciliation began.
pub(super) async fn conclude(
    profile: &PodIdentityProfile,
    latest: &PodIdentityProfile,
    report: &Report,
    context: &Context,
) -> Result<PodIdentityProfile, ReconcileError> {
    let updated = status::updated(latest, report);
    status::write(&context.client, latest, &updated)
        .await
        .map_err(ReconcileError::Profile)?;
    let conditions = |profile: &PodIdentityProfile| {
        profile
            .status
            .clone()
            .unwrap_or_default()
            .conditions
            .unwrap_or_default()
    };
    let (before, after) = (conditions(profile), conditions(&updated));
    events::transition(&context.events, &profile.object_ref(&()), &before, &after);
    Ok(updated)
}

/// Brings about what is desired, and says meanwhile what goes on.
async fn pursue(
    profile: &PodIdentityProfile,
    desired: &Desired,
    account: Account,
    context: &Context,
) -> Verdict {
    let policy = enforcement::check(desired.net_raw, &context.client).await;
    let begun = match underway::begin(profile, context).await {
        Ok(begun) => begun,
        Err(failure) => {
            let enforcement = pods::include_breaches(policy, desired, profile, context);
            return Verdict::failed(&failure, account, None, enforcement);
        }
    };
    let current = begun.as_ref().unwrap_or(profile);
    let mut verdict = carry_out(current, desired, account, policy, context).await;
    verdict.noted = verdict.noted.or(begun);
    verdict
}

/// Observe, plan, apply.
async fn carry_out(
    profile: &PodIdentityProfile,
    desired: &Desired,
    account: Account,
    policy: SubCondition,
    context: &Context,
) -> Verdict {
    let enforcement = pods::include_breaches(policy.clone(), desired, profile, context);
    let interest = Interest {
        profile,
        identity: Some(&desired.identity.id),
        grants: &desired.grants,
        record: account.record(),
    };
    let observed = match observe(interest, context).await {
        Ok(observed) => observed,
        Err(failure) => return Verdict::failed(&failure, account, None, enforcement),
    };
    let plan = match plan::plan(desired, &observed) {
        Ok(plan) => plan,
        Err(refusals) => return Verdict::refused(&refusals, account, enforcement),
    };
    if desired.drift == Drift::Observe && !plan.is_empty() {
        return Verdict::drifted(&plan, account, enforcement);
    }
    let noted = match underway::before_writes(profile, &plan, context).await {
        Ok(noted) => noted,
        Err(failure) => return Verdict::failed(&failure, account, None, enforcement),
    };
    let applier = Applier {
        profile: noted.as_ref().unwrap_or(profile),
        owner: &desired.owner,
        observed: &observed,
        context,
    };
    let mut progress = Progress::begin(&plan, &observed);
    progress.noted.clone_from(&noted);
    let done = Box::pin(apply_all(&applier, &plan, desired, &account, &mut progress)).await;
    let finished = done.is_ok();
    let account = remembered(desired, account, &progress, finished, &applier);
    match done {
        Ok(()) => {
            // Azure may have taken its time; what pods did before that is not so any more.
            let enforcement = pods::include_breaches(policy, desired, profile, context);
            let verdict = Verdict::ready(desired, account, progress, enforcement);
            pods::include(verdict, profile, context)
        }
        Err(failure) => Verdict::failed(&failure, account, Some(progress), enforcement),
    }
}

async fn apply_all(
    applier: &Applier<'_>,
    plan: &Plan,
    desired: &Desired,
    account: &Account,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut intended = false;
    for step in &plan.steps {
        let grants = matches!(step, Step::GrantRole(_) | Step::GrantNodeRole(_));
        if grants && !intended {
            intended = true;
            if applier.intend(plan, progress) {
                write_ahead(applier, desired, account.clone(), progress).await?;
            }
        }
        applier.perform(step, progress).await?;
    }
    Ok(())
}

/// Notes in the status what is about to be made in Azure, before it is.
async fn write_ahead(
    applier: &Applier<'_>,
    desired: &Desired,
    account: Account,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let account = remembered(desired, account, progress, false, applier);
    let noted = underway::note(applier.profile, "granting roles", account, applier.context).await;
    let noted = noted.map_err(|source| {
        let what = "note the role assignments in the status before making them".to_owned();
        Stage::Access.failed(Cause::Cluster { what, source })
    })?;
    progress.noted = Some(noted);
    Ok(())
}

/// What is to be remembered. The identity of before is remembered until it is put away.
fn remembered(
    desired: &Desired,
    mut account: Account,
    progress: &Progress,
    finished: bool,
    applier: &Applier<'_>,
) -> Account {
    let record = &applier.observed.record;
    let former = record
        .identity
        .as_ref()
        .is_some_and(|old| old.id != desired.identity.id);
    if let Some(identity) = progress.identity.as_ref().filter(|_| finished || !former) {
        account.use_identity(identity, plan::made_for(identity, &desired.owner, record));
    }
    account.remember(&progress.assignments);
    account
}

fn action(profile: &PodIdentityProfile, again: Again, context: &Context) -> Action {
    let uid = profile.uid().unwrap_or_default();
    match again {
        Again::Soon { asked } => Action::requeue(context.retries.again(&uid, asked)),
        Again::OnChange => {
            context.retries.forget(&uid);
            Action::await_change()
        }
        Again::AtInterval => {
            context.retries.forget(&uid);
            let own = profile
                .spec
                .interval
                .as_deref()
                .and_then(|text| interval(text).ok());
            Action::requeue(retry::jittered(own.unwrap_or(context.interval)))
        }
    }
}
