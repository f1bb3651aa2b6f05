//! Starts the parts once everything is known.

use std::sync::Arc;

use podid_core::target::TargetSettings;
use podid_runtime::{BoxError, Drain};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::context::AssignedIdentityContext;
use super::facts::Facts;
use super::objects::Objects;
use super::pod_counts::PodCounter;
use super::pod_events::{AssignmentEvents, PodEvents};
use super::profiles::{ConcernedProfiles, ProfileFacts};
use super::shared_index::{DirtySets, SharedIndex};
use super::targets::Targets;
use super::verification::{IdentityVerification, VerificationInputs};
use super::view::AssignmentView;
use crate::target::{ConfigMapRecords, RecordStore, TargetContext};

/// Runs until `drain`, or until something it cannot work without fails. Start it only while this
/// process leads: two at a time would work against each other.
///
/// # Errors
/// The records of earlier work cannot be read, or a task of its own failed.
pub async fn run(context: AssignedIdentityContext, drain: Drain) -> Result<(), BoxError> {
    tokio::select! {
        parts = prepare(&context, &drain) => match parts? {
            Some((targets, parts)) => finish(targets, parts, drain).await,
            None => Ok(()),
        },
        () = drain.draining() => Ok(()),
    }
}

type Parts = JoinSet<Result<(), BoxError>>;

/// Waits until everything is known, takes up what an earlier run left, and starts all parts but the
/// targets; `None` if the process drains before.
async fn prepare(
    context: &AssignedIdentityContext,
    drain: &Drain,
) -> Result<Option<(Targets, Parts)>, BoxError> {
    let (index, dirty) = SharedIndex::new(context.settings.rules);
    let inputs = VerificationInputs {
        identities: dirty.identities.clone(),
        ..VerificationInputs::default()
    };
    let concerned = ConcernedProfiles::default();
    let (stores, assignment_view) = (context.stores.clone(), context.assignment_view.clone());

    let mut facts = Facts::new(&context.client, index.clone(), assignment_view.clone());
    facts.list().await?;
    let changed_owners = inputs.changed_owners.clone();
    let mut profiles = ProfileFacts::new(stores, index.clone(), concerned.clone(), changed_owners);
    if !profiles.list(drain).await? {
        return Ok(None);
    }

    let (changed, recheck) = (dirty.targets.clone(), inputs.recheck.clone());
    let records = records(context);
    let targets = target_context(context, Arc::clone(&records), drain.clone());
    let mut targets = Targets::new(targets, index.clone(), changed, concerned, recheck);
    targets.begin(records.as_ref()).await?;
    let (counted, view) = (dirty.counted.clone(), assignment_view.clone());
    let mut counts = PodCounter::new(index.clone(), counted, view);
    counts.update();
    assignment_view.set_uses(index.clone());
    assignment_view.set_known();

    let mut parts = Parts::new();
    parts.spawn(facts.run());
    parts.spawn(profiles.run());
    parts.spawn(counts.run());
    start_others(context, &index, dirty, inputs, &mut parts);
    Ok(Some((targets, parts)))
}

/// What earlier runs have put on VMs and scale sets.
fn records(context: &AssignedIdentityContext) -> Arc<dyn RecordStore> {
    let (client, namespace) = (context.client.clone(), &context.settings.namespace);
    Arc::new(ConfigMapRecords::new(client, namespace))
}

/// Starts the parts that need nothing prepared.
fn start_others(
    context: &AssignedIdentityContext,
    index: &SharedIndex,
    dirty: DirtySets,
    inputs: VerificationInputs,
    parts: &mut Parts,
) {
    let (client, metrics) = (context.client.clone(), context.metrics.clone());
    let (identities, interval) = (Arc::clone(&context.identities), context.settings.interval);
    let stores = context.stores.clone();
    let verification =
        IdentityVerification::new(identities, interval, stores, index.clone(), inputs);
    let (assigned, newly_assigned) = mpsc::unbounded_channel();
    let (events, writing) = AssignmentEvents::new(client.clone());
    let objects = Objects::new(client, index.clone(), dirty.written, assigned, metrics);
    let pod_events = PodEvents::new(index.clone(), dirty.events, newly_assigned, events);
    parts.spawn(verification.run());
    parts.spawn(objects.run());
    parts.spawn(pod_events.run());
    parts.spawn(async move { Ok(writing.await?) });
}

/// Runs the targets beside the other parts, none of which ends by itself.
async fn finish(targets: Targets, mut parts: Parts, drain: Drain) -> Result<(), BoxError> {
    tokio::select! {
        ended = targets.run(drain) => ended,
        Some(ended) = parts.join_next() => ended?,
    }
}

pub(super) fn target_context(
    context: &AssignedIdentityContext,
    records: Arc<dyn RecordStore>,
    drain: Drain,
) -> TargetContext {
    let (settings, assignment_view): (_, AssignmentView) =
        (&context.settings, context.assignment_view.clone());
    TargetContext {
        compute: Arc::clone(&context.compute),
        records,
        settings: TargetSettings {
            interval: settings.interval,
            window: settings.window,
            immutable: settings.immutable.clone(),
        },
        metrics: context.metrics.targets.clone(),
        on_identities: Box::new(move |target, identities| {
            assignment_view.set_on_target(target, identities)
        }),
        drain,
    }
}
