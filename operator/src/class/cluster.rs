//! Looks in the cluster at what a class relies on: podid's policies, and the neighbours of bound pods.

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use podid_core::binding::is_completed;
use podid_core::class::{Class, Neighbour, NeighbourScope, Neighbours};
use podid_core::condition::SubCondition;
use podid_core::net_raw::{NamedPods, NetRaw};
use podid_core::policy::{PolicyState, ShippedPolicy, for_neighbours, installed_condition};
use podid_crds::convert;
use podid_runtime::process::chain;

use super::ClassContext;
use crate::policies;

/// How many policies are read at once.
const AT_ONCE: usize = 4;
/// How many pods one answer holds.
const PAGE: u32 = 500;
/// The pods of so many namespaces are read by namespace; of more, all pods of the cluster are.
const BY_NAMESPACE: usize = 10;

/// What was found.
#[derive(Debug)]
pub(super) struct ClusterFindings {
    /// The conditions that say so.
    pub(super) parts: Vec<SubCondition>,
    /// The neighbours that break the rule; `None` where the class asks nothing of any, or they could not be read.
    pub(super) breaking: Option<NamedPods>,
}

/// Looks once.
pub(super) async fn look(class: &Class, context: &ClassContext) -> ClusterFindings {
    let wanted = &context.policies;
    let state = |policy: &ShippedPolicy| {
        policies::state(Some(*policy), &context.client, &context.namespace).boxed()
    };
    let reading = stream::iter(wanted.iter().map(state));
    let states: Vec<PolicyState> = reading.buffered(AT_ONCE).collect().await;
    let mut findings = ClusterFindings {
        parts: vec![installed_condition(wanted, &states)],
        breaking: None,
    };
    if let Some(neighbours) = &class.neighbours {
        let policy = policy_for(neighbours.rule, wanted, &states);
        let (part, breaking) = look_at_neighbours(class, neighbours, policy, context).await;
        findings.parts.push(part);
        findings.breaking = breaking;
    }
    findings
}

fn policy_for(rule: NetRaw, wanted: &[ShippedPolicy], states: &[PolicyState]) -> PolicyState {
    let policy = for_neighbours(rule).map(|policy| policy.name);
    let mut known = wanted.iter().zip(states);
    known
        .find(|(shipped, _)| Some(shipped.name) == policy)
        .map_or(PolicyState::NotNeeded, |(_, state)| state.clone())
}

async fn look_at_neighbours(
    class: &Class,
    neighbours: &Neighbours,
    policy: PolicyState,
    context: &ClassContext,
) -> (SubCondition, Option<NamedPods>) {
    if neighbours.rule == NetRaw::Ignore {
        return (neighbours.condition(policy, &NamedPods::default()), None);
    }
    match breaking(class, neighbours.scope, context).await {
        Ok(breaking) => (neighbours.condition(policy, &breaking), Some(breaking)),
        Err(error) => {
            let unread = format!(
                "podid cannot read the pods of the cluster: {}",
                chain(&error)
            );
            let policy = PolicyState::NotRead(unread);
            (neighbours.condition(policy, &NamedPods::default()), None)
        }
    }
}

/// The pods that run and break the rule, in the namespaces of the scope.
async fn breaking(
    class: &Class,
    scope: NeighbourScope,
    context: &ClassContext,
) -> Result<NamedPods, kube::Error> {
    let mut found = NamedPods::default();
    for pods in apis(class, scope, context) {
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = pods.list(&params).await?;
            for pod in page.items.iter().filter(|pod| asks_of(class, pod, context)) {
                add(pod, &mut found);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(found)
}

/// Where the pods are read: in few namespaces one by one, else in all at once.
fn apis(class: &Class, scope: NeighbourScope, context: &ClassContext) -> Vec<Api<Pod>> {
    let client = || context.client.clone();
    let namespaces = context.namespaces.state();
    let admitted: Vec<String> = namespaces
        .iter()
        .filter(|namespace| class.admits_namespace(&namespace.name_any(), namespace.labels()))
        .map(|namespace| namespace.name_any())
        .collect();
    match scope {
        NeighbourScope::Namespaces if admitted.len() <= BY_NAMESPACE => admitted
            .iter()
            .map(|name| Api::namespaced(client(), name))
            .collect(),
        NeighbourScope::Namespaces | NeighbourScope::Nodes => vec![Api::all(client())],
    }
}

fn asks_of(class: &Class, pod: &Pod, context: &ClassContext) -> bool {
    let namespace = pod.namespace().unwrap_or_default();
    let known = context.namespaces.get(&ObjectRef::new(&namespace));
    let no_labels = BTreeMap::new();
    let selector = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_selector.as_ref());
    let neighbour = Neighbour {
        namespace: &namespace,
        namespace_labels: known.as_ref().map_or(&no_labels, |it| it.labels()),
        node_selector: selector.unwrap_or(&no_labels),
    };
    class.asks_of(&neighbour, &context.namespace) != NetRaw::Ignore
}

fn add(pod: &Pod, found: &mut NamedPods) {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let breaches = convert::pod(pod).breaches;
    if !breaches.is_empty() && !is_completed(phase) {
        let namespace = pod.namespace().unwrap_or_default();
        found.add(&format!("{namespace}/{}", pod.name_any()), &breaches);
    }
}
