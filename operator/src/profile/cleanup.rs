//! Deletion: nothing is left of a profile but what its policy keeps.

use std::time::Instant;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use podid_core::condition::ReconcileOutcome;
use podid_core::owner::Owner;
use podid_core::profile::admit;
use podid_core::profile::desired::Desired;
use podid_core::profile::plan::{Deletion, plan_deletion};
use podid_crds::convert;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};

use super::Context;
use super::apply::{Applier, Progress};
use super::error::Failure;
use super::observe::{Interest, observe};
use super::reconcile::{ReconcileError, conclude};
use super::status::{Account, Report};
use crate::metrics::{Controller, CountedOutcome as Counted};

/// Undoes everything; returns when the finalizer may go.
pub(super) async fn cleanup(
    profile: &PodIdentityProfile,
    context: &Context,
) -> Result<Action, ReconcileError> {
    let started = Instant::now();
    let account = Account::of(profile);
    let undone = Box::pin(undo(profile, &account, context)).await;
    let result = match &undone {
        Ok(()) => Counted::Deleted,
        Err(_) => Counted::Progressing,
    };
    context
        .metrics
        .reconciled(Controller::Profile, result, started.elapsed());
    match undone {
        Ok(()) => {
            let uid = profile.uid().unwrap_or_default();
            context.retries.forget(&uid);
            context.reminders.forget(&uid);
            Ok(Action::await_change())
        }
        Err(failure) => {
            conclude(profile, profile, &report(&failure, account), context).await?;
            Err(ReconcileError::Unfinished(failure))
        }
    }
}

async fn undo(
    profile: &PodIdentityProfile,
    account: &Account,
    context: &Context,
) -> Result<(), Failure> {
    let class = context
        .classes
        .get(&ObjectRef::new(&profile.spec.class_name));
    let desired = class
        .as_deref()
        .and_then(|class| desired(profile, class, context));
    let record = account.record();
    let recorded = record.identity.as_ref().map(|identity| identity.id.clone());
    let wanted = desired.as_ref().map(|desired| desired.identity.id.clone());
    let identity = wanted.or(recorded);
    let observed = observe(
        Interest {
            profile,
            identity: identity.as_ref(),
            // Scopes of what may have been granted and not been noted.
            grants: desired.as_ref().map_or(&[], |desired| &desired.grants),
            record,
        },
        context,
    )
    .await?;
    let owner = desired.map_or_else(|| owner(profile, class.as_deref()), |desired| desired.owner);
    let policy = convert::profile(profile, Default::default()).deletion_policy;
    let plan = plan_deletion(
        &Deletion {
            owner: owner.clone(),
            policy,
        },
        &observed,
    );
    let applier = Applier {
        profile,
        owner: &owner,
        observed: &observed,
        context,
    };
    let mut progress = Progress::begin(&plan, &observed);
    for step in &plan.steps {
        applier.perform(step, &mut progress).await?;
    }
    Ok(())
}

/// What the profile wanted, if its class admits it. Where it does not, nothing was made but what
/// is recorded.
fn desired(
    profile: &PodIdentityProfile,
    class: &PodIdentityClass,
    context: &Context,
) -> Option<Desired> {
    let namespace = ObjectRef::new(&profile.namespace().unwrap_or_default());
    let labels = context.namespaces.get(&namespace);
    let labels = labels
        .and_then(|namespace| namespace.metadata.labels.clone())
        .unwrap_or_default();
    admit::admit(&convert::profile(profile, labels), &convert::class(class)).ok()
}

fn owner(profile: &PodIdentityProfile, class: Option<&PodIdentityClass>) -> Owner {
    Owner {
        cluster: class
            .map(|class| class.spec.cluster_name.clone())
            .unwrap_or_default(),
        namespace: profile.namespace().unwrap_or_default(),
        profile: profile.name_any(),
        uid: profile.uid().unwrap_or_default(),
    }
}

/// While a profile goes, nothing about it stalls: it is tried until it is gone.
fn report(failure: &Failure, account: Account) -> Report {
    let outcome = match failure.cause.outcome() {
        ReconcileOutcome::Progressing { message } => ReconcileOutcome::Progressing {
            message: format!("deleting: {message}"),
        },
        _ => ReconcileOutcome::Retrying {
            message: format!("deleting: {}", failure.cause.message()),
        },
    };
    Report {
        outcome,
        parts: Vec::new(),
        account,
        planned: Vec::new(),
    }
}
