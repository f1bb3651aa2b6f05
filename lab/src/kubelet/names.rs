//! Names a kubelet with the systemd cgroup driver and containerd give to a pod's parts.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The cgroups of one pod, as absolute directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodCgroups {
    /// The pod's own, `kubepods-burstable-pod<uid>.slice`.
    pub(super) pod: PathBuf,
    /// The sandbox's, where `pause` runs.
    pub(super) sandbox: PathBuf,
    /// Each container's, in the order of the spec.
    pub(super) containers: Vec<PathBuf>,
}

/// Names the cgroups of a pod below the node's own cgroup.
pub(super) fn cgroups(node: &Path, pod: &Pod, uid: &str) -> PodCgroups {
    let slice = node.join(qos_slice(pod)).join(pod_slice(pod, uid));
    let scope = |id: String| slice.join(format!("cri-containerd-{id}.scope"));
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    PodCgroups {
        sandbox: scope(container_id(uid, "")),
        containers: containers
            .map(|container| scope(container_id(uid, &container.name)))
            .collect(),
        pod: slice,
    }
}

/// The directories, below a node's cgroup, whose children are pods.
pub(super) const QOS_SLICES: [&str; 3] = [
    "kubepods.slice",
    "kubepods.slice/kubepods-burstable.slice",
    "kubepods.slice/kubepods-besteffort.slice",
];

/// The uid of the pod whose cgroup has this name, if it is one.
pub(super) fn uid_of_slice(name: &str) -> Option<String> {
    let (_, pod) = name.strip_suffix(".slice")?.split_once("-pod")?;
    Some(pod.replace('_', "-"))
}

/// The id of a container, stable over the pod's life: 64 hexadecimal digits as containerd's.
/// The sandbox's has the empty name.
pub(super) fn container_id(uid: &str, container: &str) -> String {
    hex(&Sha256::digest(format!("{uid}/{container}")))
}

/// The pod's host name: its name or what its spec says, cut as the kubelet cuts it.
pub(super) fn hostname(pod: &Pod) -> String {
    let spec = pod.spec.as_ref().and_then(|spec| spec.hostname.as_deref());
    let name = spec.or(pod.metadata.name.as_deref()).unwrap_or_default();
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

fn qos(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.qos_class.as_deref())
        .unwrap_or("BestEffort")
}

fn qos_slice(pod: &Pod) -> &'static str {
    match qos(pod) {
        "Guaranteed" => QOS_SLICES[0],
        "Burstable" => QOS_SLICES[1],
        _ => QOS_SLICES[2],
    }
}

/// systemd reads dashes as levels of a slice, so the uid's become underscores.
fn pod_slice(pod: &Pod, uid: &str) -> String {
    let level = match qos(pod) {
        "Guaranteed" => "kubepods",
        "Burstable" => "kubepods-burstable",
        _ => "kubepods-besteffort",
    };
    format!("{level}-pod{}.slice", uid.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const UID: &str = "7c7bb2a4-45f5-4e4e-9a4c-6e9b1a9f7d10";

    fn pod(qos: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "app"},
            "spec": {"containers": [{"name": "main"}, {"name": "side"}]},
            "status": {"qosClass": qos},
        }))
        .unwrap()
    }

    #[test]
    fn cgroups_are_named_by_class_and_uid() {
        for (qos, folder) in [
            ("Guaranteed", "kubepods.slice/kubepods-pod"),
            (
                "Burstable",
                "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod",
            ),
            (
                "BestEffort",
                "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod",
            ),
        ] {
            let found = cgroups(Path::new("/lab/node"), &pod(qos), UID);
            let expected = format!("/lab/node/{folder}7c7bb2a4_45f5_4e4e_9a4c_6e9b1a9f7d10.slice");
            assert_eq!(found.pod, Path::new(&expected));
            assert!(found.sandbox.starts_with(&found.pod));
            assert_eq!(found.containers.len(), 2);
        }
    }

    #[test]
    fn a_pods_cgroup_tells_its_uid() {
        let name = pod_slice(&pod("Burstable"), UID);
        assert_eq!(uid_of_slice(&name).as_deref(), Some(UID));
        assert_eq!(uid_of_slice("kubepods-burstable.slice"), None);
    }

    #[test]
    fn every_container_has_its_own_id() {
        let ids = [
            container_id(UID, ""),
            container_id(UID, "main"),
            container_id(UID, "side"),
        ];
        assert!(ids.iter().all(|id| id.len() == 64));
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    }

    #[test]
    fn host_names_fit_the_kernel() {
        let mut pod = pod("BestEffort");
        pod.metadata.name = Some(format!("{}-tail", "x".repeat(62)));
        assert_eq!(hostname(&pod), "x".repeat(62));
    }
}
