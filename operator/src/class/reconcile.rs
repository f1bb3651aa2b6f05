use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use podid_core::condition::{self, Outcome};
use podid_crds::convert;
use podid_crds::podid::{PodIdentityClass, PodIdentityClassStatus};
use serde_json::json;

use super::Context;
use crate::conditions::{from_kubernetes, now, to_kubernetes};
use crate::metrics::{Controller, Result as Counted};
use crate::{FIELD_MANAGER, events};

/// Wait after an API server that refused.
const RETRY: Duration = Duration::from_secs(5);

/// The API server refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the status of class {class}")]
pub(super) struct ClassError {
    class: String,
    source: kube::Error,
}

/// Says in the status what is known of the class.
pub(super) async fn reconcile(
    class: Arc<PodIdentityClass>,
    context: Arc<Context>,
) -> Result<Action, ClassError> {
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    let started = Instant::now();
    let outcome = judge(&class, &context);
    let result = match outcome {
        Outcome::Stalled { .. } => Counted::Stalled,
        _ => Counted::Ready,
    };
    write(&class, &outcome, &context).await?;
    context
        .metrics
        .reconciled(Controller::Class, result, started.elapsed());
    Ok(Action::await_change())
}

fn judge(class: &PodIdentityClass, context: &Context) -> Outcome {
    let problems = context.facts.problems(&convert::class(class));
    if problems.is_empty() {
        let (group, location) = (&class.spec.resource_group, &class.spec.location);
        return Outcome::Ready {
            message: format!("identities are made in {group}, {location}"),
        };
    }
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Outcome::Stalled {
        reason: "InvalidSpec".to_owned(),
        message: texts.join(" | "),
    }
}

async fn write(
    class: &PodIdentityClass,
    outcome: &Outcome,
    context: &Context,
) -> Result<(), ClassError> {
    let old = class.status.clone().unwrap_or_default();
    let before = old.conditions.clone().unwrap_or_default();
    let known: Vec<_> = before.iter().map(from_kubernetes).collect();
    let generation = class.meta().generation.unwrap_or_default();
    let conditions = condition::conditions(outcome, &[], generation, &now(), &known);
    let conditions: Vec<_> = conditions.into_iter().map(to_kubernetes).collect();
    let name = class.name_any();
    let users = context.profiles.state();
    let users = users
        .iter()
        .filter(|profile| profile.spec.class_name == name)
        .count();
    let status = PodIdentityClassStatus {
        observed_generation: Some(generation),
        conditions: Some(conditions.clone()),
        profiles: Some(i32::try_from(users).unwrap_or(i32::MAX)),
    };
    if status == old {
        return Ok(());
    }
    let body = json!({
        "apiVersion": PodIdentityClass::api_version(&()),
        "kind": PodIdentityClass::kind(&()),
        "metadata": { "name": name, "uid": class.uid() },
        "status": status,
    });
    let api: Api<PodIdentityClass> = Api::all(context.client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
        Err(source) => {
            return Err(ClassError {
                class: name,
                source,
            });
        }
        Ok(_) => {}
    }
    events::transition(
        &context.recorder,
        &class.object_ref(&()),
        &before,
        &conditions,
    )
    .await;
    Ok(())
}

/// What the controller does about a class whose status could not be written.
pub(super) fn after_error(_: Arc<PodIdentityClass>, error: &ClassError, _: Arc<Context>) -> Action {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "class not reconciled"
    );
    Action::requeue(RETRY)
}
