//! What containerd, kubelet, kube-proxy and the CNI plugins of a node are told.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::containerd::SOCKET;
use crate::layout::NodeLayout;
use crate::net::PodRange;
use crate::options::Network;

/// Image of the first container of every pod.
pub(super) const PAUSE: &str = "lab.podid.test/pause:1";
/// All pods of a lab.
const PODS: &str = "10.244.0.0/16";

/// Files of one node, in its folder.
pub(super) struct Files {
    pub(super) folder: PathBuf,
}

impl Files {
    pub(super) fn containerd(&self) -> PathBuf {
        self.folder.join("containerd.toml")
    }

    pub(super) fn kubelet(&self) -> PathBuf {
        self.folder.join("kubelet.json")
    }

    pub(super) fn kube_proxy(&self) -> PathBuf {
        self.folder.join("kube-proxy.json")
    }

    /// Folder of the CNI configuration.
    pub(super) fn cni(&self) -> PathBuf {
        self.folder.join("cni")
    }
}

/// containerd's configuration; `bin` has runc and the CNI plugins.
///
/// `restrict_oom_score_adj`: without it, where root has no `CAP_SYS_RESOURCE`, no container starts.
pub(super) fn containerd(files: &Files, bin: &Path) -> String {
    let bin = bin.display();
    let cni = files.cni();
    let cni = cni.display();
    format!(
        "\
version = 2
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = [
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.erofs',
  'io.containerd.snapshotter.v1.zfs', 'io.containerd.nri.v1.nri',
]
[grpc]
  address = '{SOCKET}'
[plugins.'io.containerd.grpc.v1.cri']
  sandbox_image = '{PAUSE}'
  restrict_oom_score_adj = true
  [plugins.'io.containerd.grpc.v1.cri'.containerd]
    snapshotter = 'overlayfs'
    default_runtime_name = 'runc'
    [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]
        BinaryName = '{bin}/runc'
        SystemdCgroup = false
  [plugins.'io.containerd.grpc.v1.cri'.cni]
    bin_dir = '{bin}'
    conf_dir = '{cni}'
[plugins.'io.containerd.internal.v1.opt']
  path = '/run/opt'
"
    )
}

/// How pods are linked to the node; the plugin `bridge` takes the bridge that is there. Nobody's
/// address is translated on the way.
pub(super) fn cni(network: Network, layout: &NodeLayout) -> Value {
    let ipam = json!({
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": PodRange::around(layout.pod_network).to_string()}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    });
    let link = match network {
        Network::Bridge => json!({
            "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipam": ipam,
        }),
        Network::Routed => json!({"type": "ptp", "ipam": ipam}),
    };
    let ports = json!({
        "type": "portmap", "backend": "nftables", "capabilities": {"portMappings": true},
    });
    json!({"cniVersion": "1.0.0", "name": "lab", "plugins": [link, ports]})
}

/// A KubeletConfiguration (`kubelet.config.k8s.io/v1beta1`).
pub(super) fn kubelet(files: &Files, layout: &NodeLayout, client_ca: &Path) -> Value {
    let file = |name: &str| files.folder.join(name);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "tlsCertFile": file("kubelet.pem"),
        "tlsPrivateKeyFile": file("kubelet.key"),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": client_ca},
        },
        "authorization": {"mode": "Webhook"},
        "resolvConf": "/etc/resolv.conf",
        // The lab has no name server: a question is refused at once, where nobody listens.
        "clusterDNS": ["127.0.0.1"],
        "clusterDomain": "cluster.local",
        "failSwapOn": false,
        "providerID": format!("azure://{}", layout.resource_id),
        "oomScoreAdj": 0,
        // The machine's memory and disk are not the lab's to keep free.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "volumePluginDir": "/var/lib/kubelet/plugins-exec",
        "staticPodPath": "/var/lib/kubelet/manifests",
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
    })
}

/// A KubeProxyConfiguration (`kubeproxy.config.k8s.io/v1alpha1`). It leaves alone what the
/// kernel has once for the whole machine.
pub(super) fn kube_proxy(files: &Files, layout: &NodeLayout) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": files.folder.join("kube-proxy.kubeconfig")},
        "clusterCIDR": PODS,
        "hostnameOverride": layout.name,
        "conntrack": {
            "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
        },
        "oomScoreAdj": 0,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::options::NodeKind;

    #[test]
    fn pods_of_a_node_get_addresses_of_its_range() {
        let layout = Layout::new("x", Network::Bridge, &[NodeKind::Uniform, NodeKind::Vm]);
        for (network, link) in [(Network::Bridge, "bridge"), (Network::Routed, "ptp")] {
            let plugin = &cni(network, &layout.nodes[1])["plugins"][0];
            assert_eq!(plugin["type"], link);
            assert_eq!(plugin["ipam"]["ranges"][0][0]["subnet"], "10.244.1.0/24");
        }
    }
}
