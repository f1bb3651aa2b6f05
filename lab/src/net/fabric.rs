//! The whole network of a lab, built in one go; it lasts as long as the lab.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Cloud, Error, Namespace, NodeNetwork};
use crate::cgroup::CgroupError;
use crate::layout::{Layout, NodeLayout};
use crate::options::Target;
use crate::sandbox::{ContainerHost, Sandbox, SandboxSpec};
use crate::targets::{RunningTarget, Targets};

/// A lab's nodes, joined. Dropping it ends them.
#[derive(Debug)]
pub struct Fabric {
    nodes: BTreeMap<String, RunningNode>,
}

/// One running node.
#[derive(Debug)]
pub struct RunningNode {
    /// Its names and addresses.
    pub layout: NodeLayout,
    /// Its side of the network.
    pub network: NodeNetwork,
    /// Keeps its namespaces open.
    sandbox: Sandbox,
}

/// Builds the network of a lab around the namespace this program runs in, which becomes the
/// control plane's: `cloud0`, one node per entry of the layout, each registered as a target of
/// commands. `cgroup` is the lab's own; a node has a folder of its name below it. `host` says what
/// a node has besides in which containers run.
///
/// # Errors
/// The first step that failed; what was built until then goes with this program.
pub async fn build(
    layout: &Layout,
    cgroup: &Path,
    targets: &Targets,
    host: impl Fn(&NodeLayout) -> Result<Option<ContainerHost>, CgroupError>,
) -> Result<Fabric, Error> {
    let cloud = Cloud::create(Namespace::own()).await?;
    let mut nodes = BTreeMap::new();
    for node in &layout.nodes {
        let running = start_node(&cloud, layout, node, cgroup, targets, &host).await?;
        nodes.insert(node.name.clone(), running);
    }
    Ok(Fabric { nodes })
}

impl Fabric {
    /// The node called `name`.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`].
    pub fn node(&self, name: &str) -> Result<&RunningNode, Error> {
        self.nodes
            .get(name)
            .ok_or_else(|| Error::NoSuchNode(name.to_owned()))
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &RunningNode> {
        self.nodes.values()
    }
}

impl RunningNode {
    /// The process that keeps the node's namespaces.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.sandbox.pid()
    }
}

async fn start_node(
    cloud: &Cloud,
    layout: &Layout,
    node: &NodeLayout,
    lab_cgroup: &Path,
    targets: &Targets,
    host: &impl Fn(&NodeLayout) -> Result<Option<ContainerHost>, CgroupError>,
) -> Result<RunningNode, Error> {
    // A sibling of the kubelet's folder for pods, as on a real node.
    let cgroup = lab_cgroup.join(&node.name).join("system.slice");
    std::fs::create_dir_all(&cgroup).map_err(|source| Error::Cgroup {
        path: cgroup.clone(),
        source,
    })?;
    let spec = SandboxSpec {
        title: "node".to_owned(),
        hostname: node.name.clone(),
        cgroup: cgroup.clone(),
        network_of: None,
        binds: Vec::new(),
        host: host(node).map_err(|source| Error::Hierarchies {
            node: node.name.clone(),
            source,
        })?,
    };
    let cgroups_v1 = spec.host.iter().flat_map(|host| &host.hierarchies);
    let cgroups_v1 = cgroups_v1.map(|hierarchy| hierarchy.path.clone()).collect();
    let sandbox = Sandbox::start(spec).await.map_err(|source| Error::Node {
        node: node.name.clone(),
        source,
    })?;
    let namespace = Namespace::of_process(sandbox.pid());
    let network = cloud.add_node(node, namespace, layout.network).await?;
    let running = RunningTarget {
        pid: sandbox.pid(),
        cgroup,
        cgroups_v1,
        address: Some(node.address.into()),
        env: BTreeMap::new(),
    };
    targets.insert(Target::node(&node.name), running);
    Ok(RunningNode {
        layout: node.clone(),
        network,
        sandbox,
    })
}
