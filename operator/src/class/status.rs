//! The status of a class: its conditions, how many profiles use it, and how the nodes are.

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use podid_core::condition::{self, ReconcileOutcome};
use podid_core::node_guard::{NODES_GUARDED, NodeSummary};
use podid_crds::podid::{ClassNodes, PodIdentityClass, PodIdentityClassStatus};
use serde_json::json;

use super::ClassContext;
use crate::annotations::REQUESTED_AT;
use crate::conditions::{from_kubernetes, now, to_kubernetes};
use crate::{FIELD_MANAGER, events};

/// How many nodes the status names.
const MAX_NAMES: usize = 10;

/// The API server refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot read or write the status of class {class}")]
pub(super) struct StatusError {
    class: String,
    source: kube::Error,
}

/// The class as it is now; `None` when it is gone.
pub(super) async fn read(
    name: &str,
    context: &ClassContext,
) -> Result<Option<PodIdentityClass>, StatusError> {
    let api: Api<PodIdentityClass> = Api::all(context.client.clone());
    api.get_opt(name).await.map_err(|source| StatusError {
        class: name.to_owned(),
        source,
    })
}

/// Writes how a reconciliation came out, or with `None` only the counts, and returns the class as
/// it is then.
pub(super) async fn write(
    class: &PodIdentityClass,
    outcome: Option<&ReconcileOutcome>,
    context: &ClassContext,
) -> Result<PodIdentityClass, StatusError> {
    let updated = PodIdentityClass {
        status: Some(status(class, outcome, context)),
        ..class.clone()
    };
    if updated.status == class.status {
        return Ok(updated);
    }
    let name = class.name_any();
    let body = json!({
        "apiVersion": PodIdentityClass::api_version(&()),
        "kind": PodIdentityClass::kind(&()),
        "metadata": { "name": name, "uid": class.uid() },
        "status": updated.status,
    });
    let api: Api<PodIdentityClass> = Api::all(context.client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&body)).await {
        // Gone meanwhile.
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(updated),
        Err(source) => {
            return Err(StatusError {
                class: name,
                source,
            });
        }
        Ok(_) => {}
    }
    let conditions = |class: &PodIdentityClass| {
        let status = class.status.clone().unwrap_or_default();
        status.conditions.unwrap_or_default()
    };
    let (object, before) = (class.object_ref(&()), conditions(class));
    events::transition(&context.events, &object, &before, &conditions(&updated));
    Ok(updated)
}

fn status(
    class: &PodIdentityClass,
    outcome: Option<&ReconcileOutcome>,
    context: &ClassContext,
) -> PodIdentityClassStatus {
    let old = class.status.clone().unwrap_or_default();
    let profiles = Some(users(class, context));
    let summary = context.nodes.borrow().clone();
    let guarded = NodeSummary::condition(summary.as_ref());
    let nodes = summary.as_ref().map(class_nodes).or(old.nodes);
    let before = old.conditions.unwrap_or_default();
    let before: Vec<_> = before.iter().map(from_kubernetes).collect();
    let generation = class.meta().generation.unwrap_or_default();
    let Some(outcome) = outcome else {
        let conditions = condition::with_part(&before, guarded, &now());
        return PodIdentityClassStatus {
            conditions: Some(conditions.into_iter().map(to_kubernetes).collect()),
            profiles,
            nodes,
            observed_generation: old.observed_generation,
            last_handled_reconcile_at: old.last_handled_reconcile_at,
        };
    };
    let kinds = [NODES_GUARDED];
    let conditions =
        condition::conditions(outcome, &kinds, &[guarded], generation, &now(), &before);
    let last_handled_reconcile_at = match outcome {
        // Azure has not answered yet.
        ReconcileOutcome::Progressing { .. } => old.last_handled_reconcile_at,
        _ => class.annotations().get(REQUESTED_AT).cloned(),
    };
    PodIdentityClassStatus {
        observed_generation: Some(generation),
        conditions: Some(conditions.into_iter().map(to_kubernetes).collect()),
        profiles,
        nodes,
        last_handled_reconcile_at,
    }
}

fn class_nodes(summary: &NodeSummary) -> ClassNodes {
    let count = |count| i32::try_from(count).unwrap_or(i32::MAX);
    let named = summary.unguarded.iter().take(MAX_NAMES);
    ClassNodes {
        total: count(summary.total),
        unguarded: count(summary.unguarded.len()),
        unguarded_names: named.map(|node| node.name.clone()).collect(),
    }
}

fn users(class: &PodIdentityClass, context: &ClassContext) -> i32 {
    let name = class.name_any();
    let profiles = context.profiles.state();
    let users = profiles
        .iter()
        .filter(|profile| profile.spec.class_name == name);
    i32::try_from(users.count()).unwrap_or(i32::MAX)
}
