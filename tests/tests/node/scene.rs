//! A node with the daemon on it, and pods that the API server knows.

use std::path::PathBuf;

use podid_lab::Network;
use podid_tests::node::{
    ApiServer, Daemon, Imds, Pod, TestNode, assigned, azure_identity, binding, wait_until,
};
use podid_tests::programs::program;
use serde_json::{Value, json};

/// Fields are dropped in this order: the daemon first.
pub(crate) struct Scene {
    pub(crate) daemon: Daemon,
    pub(crate) api: ApiServer,
    pub(crate) imds: Imds,
    pub(crate) test_node: TestNode,
}

/// The ways to link pods to a node, by which every guarantee is tested.
pub(crate) const NETWORKS: [Network; 2] = [Network::Bridge, Network::Routed];

pub(crate) fn nmi() -> PathBuf {
    program("podid-nmi")
}

/// The AzureIdentity as its profile writes it.
pub(crate) fn of_profile(name: &str, net_raw: &str) -> Value {
    let mut identity = azure_identity(name);
    identity["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile", "name": name,
        "uid": "profile", "controller": true,
    }]);
    identity["metadata"]["annotations"] = json!({"podid.dev/net-raw": net_raw});
    identity
}

/// The pod with its one container `main` as `security` says.
pub(crate) fn with_security(pod: &Pod, name: &str, security: Value) -> Value {
    let mut object = pod.running(name, name);
    object["spec"]["containers"][0]["securityContext"] = security;
    object
}

impl Scene {
    /// A ready daemon on a node without pods.
    pub(crate) fn start(network: Network) -> Self {
        Self::with_flags(network, &[])
    }

    pub(crate) fn with_flags(network: Network, flags: &[&str]) -> Self {
        let test_node = TestNode::start(network).unwrap();
        let api = ApiServer::start(&test_node).unwrap();
        let imds = Imds::start(&test_node).unwrap();
        let daemon = Daemon::start(&nmi(), &test_node, &api, flags).unwrap();
        Self {
            daemon,
            api,
            imds,
            test_node,
        }
    }

    /// A running pod with an identity of its own, `client-NAME`, on the node and proved.
    pub(crate) fn pod_with_identity(&self, name: &str) -> Pod {
        let before = self.attested();
        let pod = self.test_node.add_pod().unwrap();
        self.make_known(&pod, name);
        wait_until(&format!("pod {name} is proved"), || {
            self.attested() == before + 1
        });
        // Each kind comes by a watch of its own, in no order.
        wait_until(&format!("the daemon knows all of pod {name}"), || {
            self.identity_states(name) == ["Ready"]
        });
        pod
    }

    /// What the daemon says of the identities of the pod with this name.
    pub(crate) fn identity_states(&self, pod: &str) -> Vec<String> {
        let output = self.daemon.status(&nmi(), &["-o", "json"]).unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut pods = status["pods"].as_array().into_iter().flatten();
        let pod = pods.find(|one| one["name"] == pod).cloned();
        let identities = pod.map(|pod| pod["identities"].clone()).unwrap_or_default();
        let states = identities.as_array().into_iter().flatten();
        let states = states.map(|one| one["state"].as_str().unwrap_or_default().to_owned());
        states.collect()
    }

    /// Tells the API server of a pod that runs and has an identity of its own, `client-NAME`.
    pub(crate) fn make_known(&self, pod: &Pod, name: &str) {
        self.api.put(&azure_identity(name));
        self.api.put(&binding(name, name));
        self.api.put(&assigned(name, &pod.uid, name, "Assigned"));
        self.api.put(&pod.running(name, name));
    }

    /// How many pods are proved, by the daemon's own metrics.
    pub(crate) fn attested(&self) -> usize {
        self.daemon
            .metric("podid_nmi_pods_attested")
            .unwrap_or_default()
    }

    /// Whether an Event has all of these texts in it.
    pub(crate) fn has_event(&self, parts: &[&str]) -> bool {
        let events = self.api.events();
        events
            .iter()
            .any(|event| parts.iter().all(|part| event.contains(part)))
    }
}
