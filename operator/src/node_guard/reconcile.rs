//! One node: decide, patch, tell.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use podid_core::node_guard::{NodeChange, NodeDecision, TAINT_KEY};

use super::context::NodeGuardContext;
use super::metrics::TaintChange;
use super::patch::merge_patch;
use crate::FIELD_MANAGER;

/// Wait after a node that could not be read or patched; mostly somebody else changed it at the same time.
const RETRY: Duration = Duration::from_secs(1);

/// A node could not be read or patched.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read or patch node {node} for now, which is tried again; if it does not pass, see whether this service \
     account may get and patch nodes"
)]
pub(super) struct NodeError {
    node: String,
    source: kube::Error,
}

pub(super) async fn reconcile(
    cached: Arc<Node>,
    context: Arc<NodeGuardContext>,
) -> Result<Action, NodeError> {
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    context.changed.notify_one();
    let decision = match context.decide(&cached) {
        Some(decision) if decision.change.is_some() => change(&cached, &context).await?,
        decision => decision,
    };
    let look_again = decision.and_then(|decision| decision.look_again);
    Ok(look_again.map_or_else(Action::await_change, Action::requeue))
}

/// Reads the node, decides again and makes the change. What the watch has given may be older than the last
/// change made here.
async fn change(
    cached: &Node,
    context: &NodeGuardContext,
) -> Result<Option<NodeDecision>, NodeError> {
    let name = cached.name_any();
    let failed = |source| NodeError {
        node: name.clone(),
        source,
    };
    let resource = ApiResource::erase::<Node>(&());
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &resource);
    let Some(object) = api.get_opt(&name).await.map_err(failed)? else {
        return Ok(None);
    };
    let node: Node = object.clone().try_parse().map_err(|source| {
        let source = kube::Error::Service(Box::new(source));
        failed(source)
    })?;
    let decision = context.decide(&node);
    let change = decision.as_ref().and_then(|one| one.change.as_ref());
    if let Some(change) = change {
        let patch = Patch::Merge(merge_patch(&object, change));
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        api.patch(&name, &params, &patch).await.map_err(failed)?;
        tell(&node, change, context);
    }
    Ok(decision)
}

/// Says what was changed: in an Event on the node, in the log, in a counter.
fn tell(node: &Node, change: &NodeChange, context: &NodeGuardContext) {
    let name = node.name_any();
    let (type_, reason, note) = match change {
        NodeChange::AddTaint(reason) => {
            context.metrics.changed(TaintChange::Added);
            let note = format!(
                "podid keeps pods off the node by the taint {TAINT_KEY}:NoSchedule: {reason}, so that its \
                 rules may be missing; see `kubectl --namespace {} get pods --field-selector \
                 spec.nodeName={name}`",
                context.namespace
            );
            (EventType::Warning, "NodeUnguarded", note)
        }
        NodeChange::RemoveTaint(_) => {
            context.metrics.changed(TaintChange::Removed);
            let note = format!("its podid daemon is ready, and the taint {TAINT_KEY} was removed");
            (EventType::Normal, "NodeGuarded", note)
        }
        NodeChange::Record(_) => return,
    };
    tracing::info!(node = name, note, "taint changed");
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Taint".to_owned(),
        secondary: None,
    };
    context.events.write(event, node.object_ref(&()));
}

/// What the controller does about a node that could not be read or patched.
pub(super) fn after_error(_: Arc<Node>, error: &NodeError, _: Arc<NodeGuardContext>) -> Action {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, "node not reconciled; trying again");
    Action::requeue(RETRY)
}
