//! What a caller chooses about a lab.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::tools::ToolGroup;

/// The release of Kubernetes that the control plane is of.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
pub enum Kubernetes {
    /// The oldest that podid works on. It has no MutatingAdmissionPolicy, so nothing can add the drop of NET_RAW to pods
    /// there; and nodes are stand-ins, because the lab's kubelet is newer.
    #[value(name = "1.30")]
    #[serde(rename = "1.30")]
    V1_30,
    /// As 1.30 in what it lacks.
    #[value(name = "1.33")]
    #[serde(rename = "1.33")]
    V1_33,
    /// The newest that podid is tried with.
    #[default]
    #[value(name = "1.36")]
    #[serde(rename = "1.36")]
    V1_36,
}

impl Kubernetes {
    /// The programs of its control plane.
    fn tools(self) -> ToolGroup {
        match self {
            Self::V1_30 => ToolGroup::Kubernetes1_30,
            Self::V1_33 => ToolGroup::Kubernetes1_33,
            Self::V1_36 => ToolGroup::Kubernetes,
        }
    }
}

impl std::fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V1_30 => "1.30",
            Self::V1_33 => "1.33",
            Self::V1_36 => "1.36",
        })
    }
}

/// How pods are linked to their node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// A veth to a bridge on the node, as kubenet does.
    #[default]
    Bridge,
    /// A point-to-point veth and a host route per pod, as Azure CNI does.
    Routed,
}

/// Which controllers of Flux a lab runs. Its kinds and the stand-in for
/// source-controller come with the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Flux {
    /// No controller, and none of the kinds of Flux.
    None,
    /// kustomize-controller.
    Kustomize,
    /// kustomize-controller and helm-controller.
    #[default]
    All,
}

/// As what Azure has a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// An instance of the lab's scale set with uniform orchestration.
    #[default]
    Uniform,
    /// An instance of a scale set with flexible orchestration.
    Flexible,
    /// A virtual machine in no scale set.
    Vm,
}

impl NodeKind {
    /// As labels and the command line have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Flexible => "flexible",
            Self::Vm => "vm",
        }
    }
}

/// What does a kubelet's part on the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NodeAgent {
    /// A part of the lab itself: pods have a network, cgroups and a status, and no container.
    #[default]
    StandIn,
    /// A kubelet, with containerd, runc and kube-proxy: containers run.
    Kubelet,
}

/// Where a command runs in a lab.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The namespace of API server, Flux and the simulated Azure.
    ControlPlane,
    /// A node, by its Kubernetes name.
    Node(String),
    /// A pod.
    Pod {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        name: String,
    },
}

impl Target {
    /// The pod `name` in `namespace`.
    pub fn pod(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self::Pod {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The node called `name`.
    pub fn node(name: impl Into<String>) -> Self {
        Self::Node(name.into())
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ControlPlane => f.write_str("the control plane"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Pod { namespace, name } => write!(f, "pod {namespace}/{name}"),
        }
    }
}

/// When a lab ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// Only by `down`.
    UntilDown,
    /// With the process that started it, however that ends, or when the
    /// [`Lab`](crate::Lab) that `up` returned is dropped.
    Caller,
}

/// How to start a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpOptions {
    /// Name of the lab; labs with different names stand side by side.
    pub name: String,
    /// The release of Kubernetes that the control plane is of.
    pub kubernetes: Kubernetes,
    /// Kind of each node, in order; its length is the number of nodes.
    pub nodes: Vec<NodeKind>,
    /// What does a kubelet's part on them.
    pub node_agent: NodeAgent,
    /// Taints that kubelets register their nodes with, as `key=value:effect`; stand-ins register without.
    pub node_taints: Vec<String>,
    /// How pods are linked to their node.
    pub network: Network,
    /// Which controllers of Flux run.
    pub flux: Flux,
    /// When the lab ends by itself.
    pub lifetime: Lifetime,
    /// Seed of the simulated Azure, instead of the lab's own.
    pub seed: Option<PathBuf>,
    /// How many times faster than the wall clock the simulated Azure runs.
    pub speed: f64,
}

impl UpOptions {
    /// The programs that such a lab runs, or offers on its `PATH`.
    pub fn tools(&self) -> Vec<ToolGroup> {
        let mut groups = vec![self.kubernetes.tools(), ToolGroup::Etcd];
        groups.extend(match self.flux {
            Flux::None => &[][..],
            Flux::Kustomize => &[ToolGroup::KustomizeController],
            Flux::All => &[ToolGroup::KustomizeController, ToolGroup::HelmController],
        });
        if self.node_agent == NodeAgent::Kubelet {
            groups.extend([
                ToolGroup::Kubelet,
                ToolGroup::Containerd,
                ToolGroup::CniPlugins,
                ToolGroup::Runc,
                ToolGroup::Pause,
            ]);
        }
        groups
    }
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            kubernetes: Kubernetes::default(),
            nodes: vec![NodeKind::Uniform; 2],
            node_agent: NodeAgent::StandIn,
            node_taints: Vec::new(),
            network: Network::Bridge,
            flux: Flux::All,
            lifetime: Lifetime::UntilDown,
            seed: None,
            speed: 1.0,
        }
    }
}
