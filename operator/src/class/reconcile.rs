//! One reconciliation of a class.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use podid_core::class::azure::class_outcome;
use podid_core::class::{Class, ClassAction, Usability, class_action, rests_for_interval};
use podid_core::condition::ReconcileOutcome;
use podid_crds::convert;
use podid_crds::podid::PodIdentityClass;

use super::ClassContext;
use super::ask::ask;
use super::cluster::look;
use super::status::{StatusError, read, write};
use crate::annotations::REQUESTED_AT;
use crate::conditions::{ready_at, usability};
use crate::gate::with_priority;
use crate::metrics::{Controller, CountedOutcome as Counted};
use crate::retry::jittered;

/// Wait after an API server that refused.
const RETRY: Duration = Duration::from_secs(5);

/// Writes to the status what is known about the current generation of the class. The cached object may be
/// older than our own last write, and must not overwrite it.
pub(super) async fn reconcile(
    cached: Arc<PodIdentityClass>,
    context: Arc<ClassContext>,
) -> Result<Action, StatusError> {
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    let started = Instant::now();
    let Some(class) = read(&cached.name_any(), &context).await? else {
        return Ok(Action::await_change());
    };
    let (action, outcome) = act(&class, &context).await?;
    let result = match (&outcome, usability(&class)) {
        (Some(outcome), _) => Counted::of(outcome),
        (None, Usability::Usable | Usability::Assumed) => Counted::Ready,
        (None, Usability::Unusable(_)) => Counted::Waiting,
        (None, Usability::Unknown) => Counted::Progressing,
    };
    context
        .metrics
        .reconciled(Controller::Class, result, started.elapsed());
    Ok(action)
}

/// Does what is to be done, and returns what is new about the class.
async fn act(
    class: &PodIdentityClass,
    context: &ClassContext,
) -> Result<(Action, Option<ReconcileOutcome>), StatusError> {
    let core_class = convert::class(class);
    let conditions = class.status.as_ref();
    let conditions = conditions.and_then(|status| status.conditions.as_ref());
    let is_reported = ready_at(class.meta().generation, conditions).is_some();
    let rest = context.schedule.rest(class);
    match class_action(&core_class, &context.operator, is_reported, rest) {
        ClassAction::Say(outcome) => {
            write(class, Some(&outcome), None, context).await?;
            Ok((Action::await_change(), Some(outcome)))
        }
        ClassAction::Rest(rest) => {
            write(class, None, None, context).await?;
            Ok((Action::requeue(rest), None))
        }
        ClassAction::Ask { announce } => {
            let begun = match announce {
                Some(outcome) => Some(write(class, Some(&outcome), None, context).await?),
                None => None,
            };
            let (wait, outcome) = compare(class, &core_class, begun.as_ref(), context).await?;
            Ok((Action::requeue(wait), outcome))
        }
    }
}

/// Compares the class with Azure and the cluster, and returns how long until the next time and what is new. `begun` is
/// the class with the status that was written before.
async fn compare(
    class: &PodIdentityClass,
    core_class: &Class,
    begun: Option<&PodIdentityClass>,
    context: &ClassContext,
) -> Result<(Duration, Option<ReconcileOutcome>), StatusError> {
    let priority = usability(class).comparison_priority(is_requested(class));
    let asked = ask(core_class, context.schedule.answers(class), context);
    let asked = with_priority(priority, asked);
    let (answers, findings) = join(asked, look(core_class, context)).await;
    if answers.held_back {
        let wait = answers.retry_after.unwrap_or_default();
        context.schedule.held_back(class, wait, answers.given());
        return Ok((wait, None));
    }
    let outcome = class_outcome(core_class, &answers.all, usability(class).before());
    let class_now = begun.unwrap_or(class);
    write(class_now, outcome.as_ref(), Some(&findings), context).await?;
    let uid = class.uid().unwrap_or_default();
    let wait = match rests_for_interval(outcome.as_ref()) {
        true => {
            context.retries.forget(&uid);
            jittered(context.interval)
        }
        false => context.retries.again(&uid, answers.retry_after),
    };
    context.schedule.done(class, wait);
    Ok((wait, outcome))
}

/// Whether a person has asked for a comparison that was not made yet.
fn is_requested(class: &PodIdentityClass) -> bool {
    let handled = class.status.as_ref();
    let handled = handled.and_then(|status| status.last_handled_reconcile_at.as_ref());
    let requested = class.annotations().get(REQUESTED_AT);
    requested.is_some() && requested != handled
}

/// What the controller does about a class whose status could not be written.
pub(super) fn after_error(
    _: Arc<PodIdentityClass>,
    error: &StatusError,
    _: Arc<ClassContext>,
) -> Action {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "class not reconciled"
    );
    Action::requeue(RETRY)
}
