//! From the API server's objects to the rows kept of them.

use std::net::{IpAddr, Ipv4Addr};

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::ResourceExt;
use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::binding::{AzureIdentity, Binding};
use podid_core::resolve::{CallingPod, Exception, TokenAssignment, TokenAssignmentState};
use podid_crds::aadpodidentity::{
    self as kinds, AzureAssignedIdentity, AzureIdentityBinding, AzurePodIdentityException,
    STATUS_ASSIGNED, STATUS_FAILED, STATUS_UNASSIGNED,
};
use podid_crds::convert;

use crate::attest::Claim;

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodRow {
    /// As the rules see it.
    pub(crate) caller: CallingPod,
    /// Its IPv4 addresses, as the API server knows them.
    pub(crate) addresses: Vec<Ipv4Addr>,
}

impl PodRow {
    /// What is to be proved about it; `None` while or when there is nothing to prove: it has no
    /// address yet, is the node itself, or has ended (and its address may be another pod's).
    pub(crate) fn claim(&self) -> Option<Claim> {
        let caller = &self.caller;
        let provable = !caller.host_network && !caller.completed && !self.addresses.is_empty();
        provable.then(|| Claim {
            uid: caller.pod.uid.clone(),
            addresses: self.addresses.clone(),
        })
    }
}

/// `None` for an object that no API server has given a place and a uid.
pub(crate) fn pod_row(pod: &Pod) -> Option<PodRow> {
    let spec = pod.spec.as_ref()?;
    let (_namespace, _uid) = (pod.namespace()?, pod.uid()?);
    let status = pod.status.as_ref();
    let phase = status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default();
    let caller = CallingPod {
        pod: convert::pod(pod),
        labels: pod.labels().clone(),
        host_network: spec.host_network.unwrap_or_default(),
        completed: matches!(phase, "Succeeded" | "Failed"),
    };
    Some(PodRow {
        caller,
        addresses: status.map(addresses).unwrap_or_default(),
    })
}

fn addresses(status: &PodStatus) -> Vec<Ipv4Addr> {
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    let mut addresses: Vec<Ipv4Addr> = all
        .chain(status.pod_ip.as_deref())
        .filter_map(|text| match text.parse() {
            Ok(IpAddr::V4(address)) => Some(address),
            _ => None,
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

pub(crate) fn identity_row(object: &kinds::AzureIdentity) -> Option<AzureIdentity> {
    convert::identity(object)
}

#[allow(clippy::unnecessary_wraps)] // All rows are made alike.
pub(crate) fn binding_row(object: &AzureIdentityBinding) -> Option<Binding> {
    Some(convert::binding(object))
}

pub(crate) fn exception_row(object: &AzurePodIdentityException) -> Option<Exception> {
    Some(Exception {
        namespace: object.namespace()?,
        name: object.name_any(),
        labels: object.spec.pod_labels(),
    })
}

/// An assignment without an owner is for nobody: a name alone could be an earlier pod's.
pub(crate) fn assignment_row(object: &AzureAssignedIdentity) -> Option<TokenAssignment> {
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.kind == "Pod")?;
    let identity = object.spec.azure_identity_ref.as_ref()?;
    let status = object.status.clone().unwrap_or_default();
    let state = match status.status.as_deref() {
        Some(STATUS_ASSIGNED) => TokenAssignmentState::Assigned,
        Some(STATUS_UNASSIGNED) => TokenAssignmentState::Unassigned,
        Some(STATUS_FAILED) => TokenAssignmentState::Failed(AssignmentFailure {
            reason: status.reason.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
        }),
        _ => TokenAssignmentState::Created,
    };
    let resource_id = identity.spec.get("resourceID");
    let resource_id = resource_id.and_then(|id| id.as_str()).map(ArmId::new);
    Some(TokenAssignment {
        resource_id,
        pod_uid: owner.uid.clone(),
        namespace: identity.metadata.namespace.clone(),
        identity: identity.metadata.name.clone(),
        state,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value, status: serde_json::Value) -> PodRow {
        let pod = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"aadpodidbinding": "s"}},
            "spec": spec, "status": status,
        }))
        .unwrap();
        pod_row(&pod).unwrap()
    }

    #[test]
    fn what_can_be_proved_about_a_pod() {
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

    #[test]
    fn a_pods_addresses_are_its_ipv4_ones_once_each() {
        let status =
            json!({"podIP": "10.0.0.2", "podIPs": [{"ip": "fd00::2"}, {"ip": "10.0.0.2"}]});
        let row = pod(json!({"containers": []}), status);
        assert_eq!(row.addresses, [Ipv4Addr::new(10, 0, 0, 2)]);
    }

    #[test]
    fn an_assignment_is_for_the_pod_that_owns_it() {
        let object = |owners: serde_json::Value| -> AzureAssignedIdentity {
            serde_json::from_value(json!({
                "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
                "metadata": {"name": "x", "namespace": "n", "ownerReferences": owners},
                "spec": {"azureIdentityRef": {
                    "metadata": {"name": "i", "namespace": "n"}, "spec": {"resourceID": "/id"},
                }},
                "status": {"status": "Assigned"},
            }))
            .unwrap()
        };
        let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]);
        let row = assignment_row(&object(owner)).unwrap();
        assert_eq!(
            (row.pod_uid.as_str(), row.state),
            ("u", TokenAssignmentState::Assigned)
        );
        assert_eq!(row.resource_id, Some(ArmId::new("/id")));
        assert_eq!(assignment_row(&object(json!([]))), None);
    }
}
