//! The Node object: what the scheduler, the node controller and podid read about a node.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Recorder, Reporter};
use serde_json::{Value, json};

use super::error::KubeletError;
use crate::context::Context;
use crate::layout::{NodeLayout, architecture};
use crate::net::{AddressPool, Fabric, NodeNetwork, PodRange};

/// The name under which the lab's kubelets write fields and events.
pub(super) const FIELD_MANAGER: &str = "podid-lab-kubelet";

/// A registered node: what its pods share.
pub(super) struct Node {
    pub(super) context: Context,
    pub(super) layout: NodeLayout,
    pub(super) network: NodeNetwork,
    /// The process whose namespaces pods on the host network join.
    pub(super) pid: u32,
    pub(super) addresses: Mutex<AddressPool>,
    /// The node's cgroup; the kubelet's own tree of pods is below it.
    pub(super) cgroup: PathBuf,
    pub(super) events: Recorder,
    /// The status as registered, written again with every heartbeat.
    status: Value,
}

impl Node {
    /// Registers the node, ready to take pods.
    pub(super) async fn register(
        context: Context,
        fabric: &Fabric,
        layout: NodeLayout,
        version: &str,
    ) -> Result<Self, KubeletError> {
        let running = fabric.node(&layout.name)?;
        let reporter = Reporter {
            controller: FIELD_MANAGER.to_owned(),
            instance: Some(layout.name.clone()),
        };
        let node = Self {
            network: running.network.clone(),
            pid: running.pid(),
            addresses: Mutex::new(AddressPool::new(running.network.pod_range())),
            cgroup: context.cgroup.join(&layout.name),
            events: Recorder::new(context.client.clone(), reporter),
            status: status(&layout, version, &Time(Timestamp::now())),
            layout,
            context,
        };
        node.apply_object()
            .await
            .map_err(|source| KubeletError::Register {
                node: node.layout.name.clone(),
                source,
            })?;
        tracing::info!(node = node.layout.name, address = %node.layout.address, "node registered");
        Ok(node)
    }

    async fn apply_object(&self) -> Result<(), kube::Error> {
        let nodes: Api<core::Node> = Api::all(self.context.client.clone());
        let object = object(&self.layout);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        nodes
            .patch(&self.layout.name, &params, &Patch::Apply(&object))
            .await?;
        self.apply_status().await
    }

    /// Writes the node's status as it was at registration: whatever was set meanwhile, for
    /// example by the node controller after a long pause of the machine, is put right.
    pub(super) async fn apply_status(&self) -> Result<(), kube::Error> {
        let nodes: Api<core::Node> = Api::all(self.context.client.clone());
        let body = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.layout.name},
            "status": self.status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        nodes
            .patch_status(&self.layout.name, &params, &Patch::Apply(&body))
            .await?;
        Ok(())
    }
}

/// The version a lab's kubelets report: the API server's, marked as the lab's. `v0.0.0` when the
/// API server does not say.
pub(super) async fn version(client: &kube::Client) -> String {
    match client.apiserver_version().await {
        // Build metadata, in a version that may have some already (semver.org, item 10).
        Ok(info) if info.git_version.contains('+') => format!("{}.podid-lab", info.git_version),
        Ok(info) => format!("{}+podid-lab", info.git_version),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no API server version"
            );
            "v0.0.0+podid-lab".to_owned()
        }
    }
}

/// The node as registered: where it is in Azure, and which addresses its pods get.
fn object(layout: &NodeLayout) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": layout.name, "labels": labels(layout)},
        "spec": {
            "providerID": format!("azure://{}", layout.resource_id),
            "podCIDR": PodRange::around(layout.pod_network).to_string(),
            "podCIDRs": [PodRange::around(layout.pod_network).to_string()],
        },
    })
}

fn labels(layout: &NodeLayout) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("kubernetes.io/hostname", json!(layout.name)),
        ("kubernetes.io/os", json!("linux")),
        ("kubernetes.io/arch", json!(architecture())),
        ("lab.podid.dev/node-kind", json!(layout.kind.name())),
    ])
}

fn status(layout: &NodeLayout, version: &str, now: &Time) -> Value {
    let capacity = json!({
        "cpu": "32", "memory": "64Gi", "ephemeral-storage": "256Gi", "pods": "110",
    });
    json!({
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": layout.address},
            {"type": "Hostname", "address": layout.name},
        ],
        "conditions": [
            condition("Ready", "True", "KubeletReady", "the lab's kubelet posts ready status", now),
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "not measured", now),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "not measured", now),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "not measured", now),
        ],
        "nodeInfo": node_info(layout, version),
    })
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, now: &Time) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastHeartbeatTime": now, "lastTransitionTime": now,
    })
}

fn node_info(layout: &NodeLayout, version: &str) -> Value {
    let kernel = nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    json!({
        "architecture": architecture(),
        "operatingSystem": "linux",
        "osImage": "podid-lab",
        "kernelVersion": kernel,
        "containerRuntimeVersion": format!("podid-lab://{}", env!("CARGO_PKG_VERSION")),
        "kubeletVersion": version,
        "kubeProxyVersion": "",
        "machineID": layout.name,
        "systemUUID": layout.name,
        "bootID": layout.name,
    })
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::NodeKind;

    #[test]
    fn a_node_names_its_machine_and_its_pods_range() {
        let layout = NodeLayout {
            name: "node-1".to_owned(),
            index: 0,
            address: [10, 200, 0, 11].into(),
            pod_network: [10, 244, 1, 0].into(),
            kind: NodeKind::Vm,
            resource_id: "/subscriptions/s/resourceGroups/g".to_owned(),
        };
        let node = object(&layout);
        assert_eq!(
            node["spec"]["providerID"],
            "azure:///subscriptions/s/resourceGroups/g"
        );
        assert_eq!(node["spec"]["podCIDR"], "10.244.1.0/24");
        assert_eq!(node["metadata"]["labels"]["lab.podid.dev/node-kind"], "vm");
        let typed: core::NodeStatus =
            serde_json::from_value(status(&layout, "v1", &Time(Timestamp::now()))).unwrap();
        assert_eq!(typed.addresses.unwrap()[0].address, "10.200.0.11");
    }
}
