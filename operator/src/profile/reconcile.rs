//! The story of one reconciliation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::SignedDuration;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use podid_core::admit::{self, Violation};
use podid_core::condition::{Outcome, Part, Status};
use podid_core::desired::Desired;
use podid_core::plan::{self, Plan, Refusal};
use podid_core::profile::Drift;
use podid_crds::convert;
use podid_crds::podid::{IdentityStatus, PodIdentityProfile};
use tracing::Instrument;

use super::apply::{Applier, Progress};
use super::error::{Cause, Failure, Stage};
use super::observe::{Interest, observe};
use super::status::{self, Account, Report};
use super::{Context, FINALIZER, cleanup, enforcement, pods, retry};
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

/// A report, and when to look again.
#[derive(Debug)]
pub(super) struct Verdict {
    report: Report,
    again: Again,
    done: Vec<String>,
    /// The profile with the status that was written meanwhile.
    noted: Option<PodIdentityProfile>,
}

/// When to look again, beside when something changes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Again {
    OnChange,
    AtInterval,
    Soon { asked: Option<Duration> },
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
    let verdict = work(profile, context).await;
    let latest = verdict.noted.as_ref().unwrap_or(profile);
    conclude(profile, latest, &verdict.report, context).await?;
    events::done(&context.recorder, &profile.object_ref(&()), &verdict.done).await;
    pods::count(profile, context)
        .await
        .map_err(ReconcileError::Profile)?;
    let result = counted(&verdict.report.outcome);
    context
        .metrics
        .reconciled(Controller::Profile, result, started.elapsed());
    Ok(action(profile, verdict.again, context))
}

/// Writes the status over that of `latest`, and tells people when `Ready` is another than that of
/// `profile`, where the reconciliation began.
pub(super) async fn conclude(
    profile: &PodIdentityProfile,
    latest: &PodIdentityProfile,
    report: &Report,
    context: &Context,
) -> Result<(), ReconcileError> {
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
    events::transition(&context.recorder, &profile.object_ref(&()), &before, &after).await;
    Ok(())
}

async fn work(profile: &PodIdentityProfile, context: &Context) -> Verdict {
    let account = Account::of(profile);
    match decide(profile, context) {
        Ok(desired) => pursue(profile, &desired, account, context).await,
        Err(outcome) => Verdict::without_work(outcome, account),
    }
}

/// Everything that can be decided without a call.
fn decide(profile: &PodIdentityProfile, context: &Context) -> Result<Desired, Outcome> {
    let spec = &profile.spec;
    if spec.suspend == Some(true) {
        return Err(Outcome::Suspended);
    }
    if let Some(Err(message)) = spec.interval.as_deref().map(interval) {
        return Err(Outcome::Stalled {
            reason: "InvalidSpec".to_owned(),
            message,
        });
    }
    let waiting = |message| Err(Outcome::Waiting { message });
    let Some(class) = context.classes.get(&ObjectRef::new(&spec.class_name)) else {
        let name = &spec.class_name;
        return waiting(format!(
            "PodIdentityClass {name} does not exist; create it, or correct spec.className"
        ));
    };
    let facts = convert::class(&class);
    if let Some(problem) = context.facts.problems(&facts).first() {
        return waiting(format!(
            "PodIdentityClass {} cannot be used: {problem}",
            facts.name
        ));
    }
    let namespace = profile.namespace().unwrap_or_default();
    let labels = context.namespaces.get(&ObjectRef::new(&namespace));
    let labels = labels
        .and_then(|namespace| namespace.metadata.labels.clone())
        .unwrap_or_default();
    admit::admit(&convert::profile(profile, labels), &facts)
        .map_err(|violations| stalled(&violations))
}

fn stalled(violations: &[Violation]) -> Outcome {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    Outcome::Stalled {
        reason: "NotAllowedByClass".to_owned(),
        message: texts.join(" | "),
    }
}

/// Observe, plan, apply.
async fn pursue(
    profile: &PodIdentityProfile,
    desired: &Desired,
    account: Account,
    context: &Context,
) -> Verdict {
    let enforcement = enforcement::check(desired.net_raw, &context.client).await;
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
    let applier = Applier {
        profile,
        owner: &desired.owner,
        observed: &observed,
        context,
    };
    let mut progress = Progress::begin(&plan, &observed);
    let done = Box::pin(apply_all(&applier, &plan, desired, &account, &mut progress)).await;
    let finished = done.is_ok();
    let account = remembered(desired, account, &progress, finished, &applier);
    match done {
        Ok(()) => Verdict::ready(desired, account, progress, enforcement),
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
        let grants = matches!(
            step,
            plan::Step::GrantRole(_) | plan::Step::GrantNodeRole(_)
        );
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
    let message = "granting roles".to_owned();
    let report = Report {
        outcome: Outcome::Progressing { message },
        parts: Vec::new(),
        account: remembered(desired, account, progress, false, applier),
        planned: Vec::new(),
    };
    let updated = status::updated(applier.profile, &report);
    let written = status::write(&applier.context.client, applier.profile, &updated).await;
    written.map_err(|source| {
        let what = "note the role assignments in the status before making them".to_owned();
        Stage::Access.failed(Cause::Cluster { what, source })
    })?;
    progress.noted = Some(updated);
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

impl Verdict {
    fn without_work(outcome: Outcome, account: Account) -> Self {
        let report = Report {
            outcome,
            parts: Vec::new(),
            account,
            planned: Vec::new(),
        };
        Self {
            report,
            again: Again::OnChange,
            done: Vec::new(),
            noted: None,
        }
    }

    fn ready(desired: &Desired, account: Account, progress: Progress, enforcement: Part) -> Self {
        let identity = account.identity.clone().unwrap_or_default();
        let name = desired.identity.id.name().to_owned();
        let roles = account.assignments.len();
        let selector = &desired.binding.selector;
        let client_id = &identity.client_id;
        let message = format!(
            "identity {name} (client id {client_id}), {roles} role assignments, pods with \
             aadpodidbinding={selector}"
        );
        let parts = vec![
            identity_part(&identity),
            part(
                Stage::Access,
                Status::True,
                "Granted",
                format!("{roles} role assignments are there"),
            ),
            part(
                Stage::Binding,
                Status::True,
                "Bound",
                format!("pods with aadpodidbinding={selector} are bound"),
            ),
        ];
        let (outcome, again) = match enforcement.status {
            Status::True => (Outcome::Ready { message }, Again::AtInterval),
            Status::False | Status::Unknown => (
                Outcome::Waiting {
                    message: enforcement.message.clone(),
                },
                Again::Soon { asked: None },
            ),
        };
        let parts = parts.into_iter().chain([enforcement]).collect();
        let report = Report {
            outcome,
            parts,
            account,
            planned: Vec::new(),
        };
        Self {
            report,
            again,
            done: progress.done,
            noted: progress.noted,
        }
    }

    fn failed(
        failure: &Failure,
        account: Account,
        progress: Option<Progress>,
        enforcement: Part,
    ) -> Self {
        let cause = &failure.cause;
        let outcome = cause.outcome();
        let again = match outcome {
            Outcome::Stalled { .. } => Again::AtInterval,
            _ => Again::Soon {
                asked: cause.retry_after(),
            },
        };
        let hit = part(
            failure.stage,
            Status::False,
            &cause.reason(),
            cause.message(),
        );
        // Parts that nothing was found out about stay as they were known.
        let mut parts = vec![hit, enforcement];
        if let Some(identity) = account
            .identity
            .as_ref()
            .filter(|_| failure.stage > Stage::Identity)
        {
            parts.push(identity_part(identity));
        }
        let (done, noted) = progress
            .map(|progress| (progress.done, progress.noted))
            .unwrap_or_default();
        Self {
            report: Report {
                outcome,
                parts,
                account,
                planned: Vec::new(),
            },
            again,
            done,
            noted,
        }
    }

    fn refused(refusals: &[Refusal], account: Account, enforcement: Part) -> Self {
        let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let message = texts.join(" | ");
        let reason = refusals
            .first()
            .map_or("Refused", Refusal::reason)
            .to_owned();
        let (outcome, again) = match refusals.iter().all(Refusal::may_pass) {
            true => (Outcome::Retrying { message }, Again::Soon { asked: None }),
            false => (Outcome::Stalled { reason, message }, Again::AtInterval),
        };
        let parts = refusals
            .iter()
            .map(|refusal| {
                part(
                    stage_of(refusal),
                    Status::False,
                    refusal.reason(),
                    refusal.to_string(),
                )
            })
            .chain([enforcement])
            .collect();
        let report = Report {
            outcome,
            parts,
            account,
            planned: Vec::new(),
        };
        Self {
            report,
            again,
            done: Vec::new(),
            noted: None,
        }
    }

    fn drifted(plan: &Plan, account: Account, enforcement: Part) -> Self {
        let planned = plan.sentences();
        let message = format!(
            "{} changes are planned and left to a person, because spec.drift is Observe; see \
             status.plannedChanges, and set spec.drift to Enforce to have them made",
            planned.len()
        );
        let outcome = Outcome::Stalled {
            reason: "DriftDetected".to_owned(),
            message,
        };
        let report = Report {
            outcome,
            parts: vec![enforcement],
            account,
            planned,
        };
        Self {
            report,
            again: Again::AtInterval,
            done: Vec::new(),
            noted: None,
        }
    }
}

fn part(stage: Stage, status: Status, reason: &str, message: String) -> Part {
    let kind = match stage {
        Stage::Identity => "IdentityReady",
        Stage::Access => "AccessReady",
        Stage::Binding => "BindingReady",
    };
    Part {
        kind,
        status,
        reason: reason.to_owned(),
        message,
    }
}

fn identity_part(identity: &IdentityStatus) -> Part {
    let origin = if identity.created {
        "Created"
    } else {
        "Adopted"
    };
    let id = &identity.resource_id;
    part(
        Stage::Identity,
        Status::True,
        origin,
        format!("identity {id} is there"),
    )
}

fn stage_of(refusal: &Refusal) -> Stage {
    match refusal {
        Refusal::OwnedByAnother { .. }
        | Refusal::NotOurs { .. }
        | Refusal::NothingToAdopt { .. }
        | Refusal::WrongTenant { .. } => Stage::Identity,
        Refusal::UnknownRole { .. } => Stage::Access,
        Refusal::ForeignChild { .. } => Stage::Binding,
    }
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

/// Reads `spec.interval`, which the schema has checked where there is one.
fn interval(text: &str) -> Result<Duration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed
        .and_then(|parsed| Duration::try_from(parsed).ok())
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| format!("spec.interval: {text:?} is not a duration; write for example 10m"))
}

pub(super) fn counted(outcome: &Outcome) -> Counted {
    match outcome {
        Outcome::Ready { .. } => Counted::Ready,
        Outcome::Progressing { .. } => Counted::Progressing,
        Outcome::Retrying { .. } => Counted::Retrying,
        Outcome::Waiting { .. } => Counted::Waiting,
        Outcome::Stalled { .. } => Counted::Stalled,
        Outcome::Suspended => Counted::Suspended,
    }
}
