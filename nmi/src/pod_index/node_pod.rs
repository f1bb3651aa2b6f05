use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use podid_core::binding;
use podid_core::resolve::CallingPod;
use podid_crds::convert;
use podid_index::PodOnNode;

use crate::attest::Claim;

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodePod {
    /// As the rules see it.
    pub(crate) caller: CallingPod,
    /// Its IPv4 addresses, as the API server knows them.
    pub(crate) addresses: Vec<Ipv4Addr>,
}

impl PodOnNode for NodePod {
    fn pod(&self) -> &binding::Pod {
        &self.caller.pod
    }

    /// All pods here are on one node.
    fn node(&self) -> &str {
        ""
    }
}

impl NodePod {
    /// See [`Claim::of`].
    pub(crate) fn claim(&self) -> Option<Claim> {
        Claim::of(&self.caller, &self.addresses)
    }
}

/// Reads a pod; `None` for an object without spec, namespace or uid, which comes from no API server.
pub(crate) fn node_pod(object: &Pod) -> Option<NodePod> {
    let (_spec, _namespace, _uid) = (object.spec.as_ref()?, object.namespace()?, object.uid()?);
    Some(NodePod {
        caller: convert::calling_pod(object),
        addresses: convert::ipv4_addresses(object),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value, status: serde_json::Value) -> NodePod {
        let pod = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"aadpodidbinding": "s"}},
            "spec": spec, "status": status,
        }))
        .unwrap();
        node_pod(&pod).unwrap()
    }

    #[test]
    fn what_can_be_attested_about_a_pod() {
        let address =
            json!({"podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}, {"ip": "fd00::2"}]});
        let plain = json!({"containers": []});
        let with_phase = |phase: &str| {
            let mut status = address.clone();
            status["phase"] = phase.into();
            status
        };
        let table = [
            (plain.clone(), with_phase("Running"), true),
            // Init containers run in a pending pod.
            (plain.clone(), with_phase("Pending"), true),
            (plain.clone(), with_phase("Succeeded"), false),
            (plain.clone(), with_phase("Failed"), false),
            (plain, json!({"phase": "Pending"}), false),
            (
                json!({"containers": [], "hostNetwork": true}),
                with_phase("Running"),
                false,
            ),
        ];
        for (spec, status, provable) in table {
            let row = pod(spec, status.clone());
            assert_eq!(row.claim().is_some(), provable, "{status}");
        }
    }
}
