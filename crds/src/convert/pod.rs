use std::net::{IpAddr, Ipv4Addr};

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec, SecurityContext};
use kube::ResourceExt;
use podid_core::binding::{self, Unserved, is_completed};
use podid_core::net_raw::{self, Container, PodSecurity};
use podid_core::resolve::CallingPod;
use podid_core::target::{NodeTargetError, Target};

use crate::aadpodidentity::BINDING_LABEL;

/// The label in which a kubelet says which system its node has.
const OS_LABEL: &str = "kubernetes.io/os";
const WINDOWS: &str = "windows";

/// A pod with what decides whether it is served at all: its labels, its network, its end.
#[must_use]
pub fn calling_pod(object: &Pod) -> CallingPod {
    let status = object.status.as_ref();
    CallingPod {
        pod: pod(object),
        labels: object.labels().clone(),
        completed: is_completed(status.and_then(|status| status.phase.as_deref())),
    }
}

/// Name of the node that the pod was scheduled to; `None` before that.
#[must_use]
pub fn node_name(object: &Pod) -> Option<&str> {
    object.spec.as_ref()?.node_name.as_deref()
}

/// The pod's IPv4 addresses (`status.podIPs` and `status.podIP`), sorted, each once.
#[must_use]
pub fn ipv4_addresses(object: &Pod) -> Vec<Ipv4Addr> {
    let Some(status) = &object.status else {
        return Vec::new();
    };
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

/// The VM or scale set under a node, from its `spec.providerID`.
///
/// # Errors
/// The node is a Windows node, has no provider id (yet), or one that is not Azure's.
pub fn target_of(node: &Node) -> Result<Target, NodeTargetError> {
    if node.labels().get(OS_LABEL).is_some_and(|os| os == WINDOWS) {
        return Err(NodeTargetError::Windows);
    }
    let spec = node.spec.as_ref();
    let provider_id = spec.and_then(|spec| spec.provider_id.as_deref());
    Target::from_provider_id(provider_id.unwrap_or_default())
}

/// The pod as a value of `core`. What the API server has not filled in yet counts as its default.
#[must_use]
pub fn pod(object: &Pod) -> binding::Pod {
    let account = object.spec.as_ref();
    let account = account.and_then(|spec| spec.service_account_name.clone());
    // Windows has no such capabilities, and a kubelet runs no pod of another system than its own.
    let bound = object.spec.as_ref().filter(|spec| !is_windows(spec));
    let security = bound.map(pod_security).unwrap_or_default();
    binding::Pod {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        selector: object.labels().get(BINDING_LABEL).cloned(),
        service_account: account.unwrap_or_else(|| "default".to_owned()),
        breaches: net_raw::breaches(&security),
        unserved: unserved(object),
    }
}

/// Every kubelet writes it on the copy of a pod that it runs from a file, and admission lets it write no other pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

fn unserved(object: &Pod) -> Option<Unserved> {
    let spec = object.spec.as_ref();
    // First: whether a pod is on the node's network also decides what can be attested about it.
    if spec.and_then(|spec| spec.host_network) == Some(true) {
        return Some(Unserved::HostNetwork);
    }
    if object.annotations().contains_key(MIRROR) {
        return Some(Unserved::Static);
    }
    spec.is_some_and(is_windows).then_some(Unserved::Windows)
}

fn is_windows(spec: &PodSpec) -> bool {
    spec.os.as_ref().is_some_and(|os| os.name == WINDOWS)
}

fn pod_security(spec: &PodSpec) -> PodSecurity {
    let all = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    let containers = all.map(|one| container(&one.name, one.security_context.as_ref()));
    let debugging = spec.ephemeral_containers.iter().flatten();
    let debugging = debugging.map(|one| container(&one.name, one.security_context.as_ref()));
    PodSecurity {
        host_network: spec.host_network.unwrap_or_default(),
        host_pid: spec.host_pid.unwrap_or_default(),
        containers: containers.chain(debugging).collect(),
    }
}

fn container(name: &str, context: Option<&SecurityContext>) -> Container {
    let capabilities = context.and_then(|context| context.capabilities.clone());
    let capabilities = capabilities.unwrap_or_default();
    Container {
        name: name.to_owned(),
        privileged: context
            .and_then(|context| context.privileged)
            .unwrap_or_default(),
        add: capabilities.add.unwrap_or_default(),
        drop: capabilities.drop.unwrap_or_default(),
    }
}
