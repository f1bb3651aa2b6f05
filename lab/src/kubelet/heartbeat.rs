//! Keeps a node Ready: its lease, which the node controller watches, and its status.

use std::convert::Infallible;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::node::{FIELD_MANAGER, Node};

/// Where the node controller looks for nodes' leases.
const LEASE_NAMESPACE: &str = "kube-node-lease";
/// How long a lease holds; the kubelet's default.
const LEASE: Duration = Duration::from_secs(40);
/// A quarter of it, as in the kubelet.
const PERIOD: Duration = Duration::from_secs(10);

/// Renews the node's lease and status for ever. A beat that fails is logged; the next one comes
/// in time, because a lease outlives three of them.
pub(super) async fn run(node: &Node) -> Infallible {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = beat(node).await {
            tracing::warn!(
                node = node.layout.name,
                error = &error as &dyn std::error::Error,
                "heartbeat failed"
            );
        }
    }
}

async fn beat(node: &Node) -> Result<(), kube::Error> {
    let leases: Api<Lease> = Api::namespaced(node.context.client.clone(), LEASE_NAMESPACE);
    let name = &node.layout.name;
    let body = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE.as_secs(),
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    leases.patch(name, &params, &Patch::Apply(&body)).await?;
    node.apply_status().await
}
