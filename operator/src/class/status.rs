//! The status of a class: its conditions, how many profiles use it, and how nodes and neighbours are.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use podid_core::class::NEIGHBOURS_READY;
use podid_core::condition::{self, Condition, ReconcileOutcome, SubCondition};
use podid_core::net_raw::NamedPods;
use podid_core::node_guard::{NODES_GUARDED, NodeSummary};
use podid_core::policy::POLICIES_INSTALLED;
use podid_crds::podid::{BreakingNeighbour, ClassNodes, PodIdentityClass, PodIdentityClassStatus};
use serde_json::json;

use super::ClassContext;
use super::cluster::ClusterFindings;
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

/// Writes how a reconciliation came out, or with `None` only the counts, and what was found in the cluster, if that was
/// looked at. Returns the class as it is then.
pub(super) async fn write(
    class: &PodIdentityClass,
    outcome: Option<&ReconcileOutcome>,
    findings: Option<&ClusterFindings>,
    context: &ClassContext,
) -> Result<PodIdentityClass, StatusError> {
    let updated = PodIdentityClass {
        status: Some(status(class, outcome, findings, context)),
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
    let after = conditions(&updated);
    events::transition(&context.events, &object, &before, &after);
    // Nodes have Events of their own.
    for kind in [POLICIES_INSTALLED, NEIGHBOURS_READY] {
        events::condition_transition(&context.events, &object, kind, &before, &after);
    }
    Ok(updated)
}

fn status(
    class: &PodIdentityClass,
    outcome: Option<&ReconcileOutcome>,
    findings: Option<&ClusterFindings>,
    context: &ClassContext,
) -> PodIdentityClassStatus {
    let old = class.status.clone().unwrap_or_default();
    let summary = context.nodes.borrow().clone();
    let kinds = kinds(class);
    let mut found = vec![NodeSummary::condition(summary.as_ref())];
    found.extend(findings.iter().flat_map(|findings| findings.parts.clone()));
    let before: Vec<_> = old
        .conditions
        .iter()
        .flatten()
        .map(from_kubernetes)
        .collect();
    let generation = class.meta().generation.unwrap_or_default();
    let (conditions, observed_generation) = match outcome {
        Some(outcome) => (
            condition::conditions(outcome, &kinds, &found, generation, &now(), &before),
            Some(generation),
        ),
        None => (with_parts(before, found), old.observed_generation),
    };
    let last_handled_reconcile_at = match outcome {
        // Azure has not answered yet.
        None | Some(ReconcileOutcome::Progressing { .. }) => old.last_handled_reconcile_at,
        Some(_) => class.annotations().get(REQUESTED_AT).cloned(),
    };
    let asks = kinds.contains(&NEIGHBOURS_READY);
    let (known_count, known) = (old.breaking_neighbour_count, old.breaking_neighbours);
    let (breaking_neighbour_count, breaking_neighbours) = match findings {
        Some(findings) => breaking_neighbours(findings.breaking.as_ref()),
        None => (known_count.filter(|_| asks), known.filter(|_| asks)),
    };
    PodIdentityClassStatus {
        observed_generation,
        conditions: Some(conditions.into_iter().map(to_kubernetes).collect()),
        profiles: Some(users(class, context)),
        nodes: summary.as_ref().map(class_nodes).or(old.nodes),
        breaking_neighbour_count,
        breaking_neighbours,
        last_handled_reconcile_at,
    }
}

/// The sub-conditions that the class has.
fn kinds(class: &PodIdentityClass) -> Vec<&'static str> {
    let asks = class.spec.neighbours.is_some();
    let of_neighbours = asks.then_some(NEIGHBOURS_READY);
    [NODES_GUARDED, POLICIES_INSTALLED]
        .into_iter()
        .chain(of_neighbours)
        .collect()
}

fn with_parts(before: Vec<Condition<Time>>, found: Vec<SubCondition>) -> Vec<Condition<Time>> {
    let add = |conditions: Vec<_>, part| condition::with_part(&conditions, part, &now());
    found.into_iter().fold(before, add)
}

fn breaking_neighbours(
    breaking: Option<&NamedPods>,
) -> (Option<i32>, Option<Vec<BreakingNeighbour>>) {
    let Some(breaking) = breaking else {
        return (None, None);
    };
    let named = breaking.first.iter().map(|(pod, reason)| {
        let (namespace, name) = pod.split_once('/').unwrap_or_default();
        BreakingNeighbour {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            reason: reason.clone(),
        }
    });
    let named: Vec<_> = named.collect();
    (
        Some(i32::try_from(breaking.count).unwrap_or(i32::MAX)),
        (!named.is_empty()).then_some(named),
    )
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
