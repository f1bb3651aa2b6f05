use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use podid_core::class::Class;
use podid_core::class::azure::{Before, judge};
use podid_core::condition::ReconcileOutcome;
use podid_crds::convert;
use podid_crds::podid::PodIdentityClass;

use super::Context;
use super::ask::ask;
use super::status::{StatusError, read, write};
use super::usability::{Usability, usability};
use crate::conditions::ready_at;
use crate::metrics::{Controller, CountedOutcome as Counted};
use crate::profile::retry::jittered;

/// Wait after an API server that refused.
const RETRY: Duration = Duration::from_secs(5);

/// Says in the status what is known of the class as it is now. The one in the cache may be older
/// than our own last write, and what that said must not be taken back.
pub(super) async fn reconcile(
    cached: Arc<PodIdentityClass>,
    context: Arc<Context>,
) -> Result<Action, StatusError> {
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    let started = Instant::now();
    let Some(class) = read(&cached.name_any(), &context).await? else {
        return Ok(Action::await_change());
    };
    let facts = convert::class(&class);
    let (action, outcome) = match malformed(&facts, &context) {
        Some(outcome) => {
            write(&class, Some(&outcome), &context).await?;
            (Action::await_change(), Some(outcome))
        }
        None => confirm(&class, &facts, &context).await?,
    };
    let result = match (&outcome, usability(&class)) {
        (Some(outcome), _) => Counted::of(outcome),
        (None, Usability::Usable) => Counted::Ready,
        (None, Usability::Unusable(_)) => Counted::Waiting,
        (None, Usability::Unknown) => Counted::Progressing,
    };
    context
        .metrics
        .reconciled(Controller::Class, result, started.elapsed());
    Ok(action)
}

/// What is wrong with the class whatever Azure says, so that Azure is not asked.
fn malformed(class: &Class, context: &Context) -> Option<ReconcileOutcome> {
    let problems = context.facts.problems(class);
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| ReconcileOutcome::Stalled {
        reason: "InvalidSpec".to_owned(),
        message: texts.join(" | "),
    })
}

/// Asks Azure about the class, unless that was done not long ago.
async fn confirm(
    class: &PodIdentityClass,
    facts: &Class,
    context: &Context,
) -> Result<(Action, Option<ReconcileOutcome>), StatusError> {
    let status = class.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let speaks = ready_at(class.meta().generation, conditions).is_some();
    if let Some(rest) = context.schedule.rest(class).filter(|_| speaks) {
        write(class, None, context).await?;
        return Ok((Action::requeue(rest), None));
    }
    let begun = match speaks {
        true => None,
        false => {
            let message = "asking Azure whether the class is right".to_owned();
            Some(
                write(
                    class,
                    Some(&ReconcileOutcome::Progressing { message }),
                    context,
                )
                .await?,
            )
        }
    };
    let answers = ask(facts, context).await;
    let before = match usability(class) {
        Usability::Unknown => Before::Nothing,
        Usability::Usable | Usability::Unusable(_) => Before::Known,
    };
    let outcome = judge(facts, &answers.all, before);
    write(begun.as_ref().unwrap_or(class), outcome.as_ref(), context).await?;
    let wait = wait(class, outcome.as_ref(), answers.retry_after, context);
    context.schedule.done(class, wait);
    Ok((Action::requeue(wait), outcome))
}

/// How long until Azure is asked again.
fn wait(
    class: &PodIdentityClass,
    outcome: Option<&ReconcileOutcome>,
    asked: Option<Duration>,
    context: &Context,
) -> Duration {
    let uid = class.uid().unwrap_or_default();
    match outcome {
        Some(ReconcileOutcome::Ready { .. } | ReconcileOutcome::Stalled { .. }) => {
            context.retries.forget(&uid);
            jittered(context.interval)
        }
        _ => context.retries.again(&uid, asked),
    }
}

/// What the controller does about a class whose status could not be written.
pub(super) fn after_error(
    _: Arc<PodIdentityClass>,
    error: &StatusError,
    _: Arc<Context>,
) -> Action {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "class not reconciled"
    );
    Action::requeue(RETRY)
}
