//! What a pod has on its node: cgroups, the `pause` process with its namespaces, the
//! link and the managed files.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cleanup;
use super::error::PodSandboxError;
use super::files;
use super::names::{self, PodCgroups};
use super::node::Node;
use crate::cgroup;
use crate::net::{Namespace, PodLink};
use crate::options::Target;
use crate::sandbox::{Sandbox, SandboxSpec};
use crate::targets::RunningTarget;

/// A pod's sandbox. Dropping it ends `pause`; [`PodSandbox::remove`] takes everything away.
#[derive(Debug)]
pub(super) struct PodSandbox {
    pub(super) address: Ipv4Addr,
    pub(super) started: Timestamp,
    process: Sandbox,
    cgroups: PodCgroups,
    target: Target,
    uid: String,
}

impl PodSandbox {
    /// Makes the sandbox of a pod, after whatever an earlier attempt left is removed.
    pub(super) async fn create(node: &Node, pod: &Pod, uid: &str) -> Result<Self, PodSandboxError> {
        cleanup::clear(node, pod, uid).await?;
        let cgroups = names::cgroups(&node.cgroup, pod, uid);
        cgroup::create(&cgroups.sandbox)?;
        for container in &cgroups.containers {
            cgroup::create(container)?;
        }
        let (process, address) = if on_host_network(pod) {
            (start_on_host(node, &cgroups).await?, node.layout.address)
        } else {
            start_linked(node, pod, uid, &cgroups).await?
        };
        let target = Target::pod(pod.namespace().unwrap_or_default(), pod.name_any());
        node.context.targets.insert(
            target.clone(),
            RunningTarget {
                pid: process.pid(),
                // A program that is run in the pod counts as its first container's.
                cgroup: cgroups
                    .containers
                    .first()
                    .unwrap_or(&cgroups.sandbox)
                    .clone(),
                cgroups_v1: Vec::new(),
                address: Some(IpAddr::V4(address)),
                env: node.context.program_env.as_ref().clone(),
            },
        );
        Ok(Self {
            address,
            started: Timestamp::now(),
            process,
            cgroups,
            target,
            uid: uid.to_owned(),
        })
    }

    /// Its `pause`.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The cgroups of the pod.
    pub(super) fn cgroups(&self) -> &PodCgroups {
        &self.cgroups
    }

    /// Asks every process of the pod to end.
    pub(super) fn terminate(&self) {
        for pid in processes(&self.cgroups.pod) {
            // One that ended meanwhile did what was asked.
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Whether no process of the pod is left.
    pub(super) fn is_empty(&self) -> bool {
        let events = std::fs::read_to_string(self.cgroups.pod.join("cgroup.events"));
        events.map_or(true, |text| text.lines().any(|line| line == "populated 0"))
    }

    /// Waits until `pause` has ended, which only this kubelet should bring about.
    pub(super) async fn ended(&mut self) {
        self.process.ended().await;
    }

    /// Ends what is left of the pod and takes its sandbox away.
    pub(super) async fn remove(self, node: &Node, pod: &Pod) -> Result<(), PodSandboxError> {
        let pid = self.process.pid();
        // A pod of the same name on another node may have been registered since.
        if node
            .context
            .targets
            .get(&self.target)
            .is_some_and(|running| running.pid == pid)
        {
            node.context.targets.remove(&self.target);
        }
        self.process.stop().await;
        cleanup::clear(node, pod, &self.uid).await
    }
}

async fn start_linked(
    node: &Node,
    pod: &Pod,
    uid: &str,
    cgroups: &PodCgroups,
) -> Result<(Sandbox, Ipv4Addr), PodSandboxError> {
    let address = node
        .addresses
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .allocate(uid)?;
    let hostname = names::hostname(pod);
    let binds = write_files(node, pod, uid, &hostname, address)?;
    let process = Sandbox::start(SandboxSpec {
        title: "pause".to_owned(),
        hostname,
        cgroup: cgroups.sandbox.clone(),
        network_of: None,
        binds,
        host: None,
    })
    .await?;
    let link = PodLink {
        uid: uid.to_owned(),
        address,
        namespace: Namespace::of_process(process.pid()),
    };
    node.network.attach(&link).await?;
    Ok((process, address))
}

async fn start_on_host(node: &Node, cgroups: &PodCgroups) -> Result<Sandbox, PodSandboxError> {
    let spec = SandboxSpec {
        title: "pause".to_owned(),
        hostname: node.layout.name.clone(),
        cgroup: cgroups.sandbox.clone(),
        network_of: Some(node.pid),
        binds: Vec::new(),
        host: None,
    };
    Ok(Sandbox::start(spec).await?)
}

/// Writes the pod's managed files; returns what is bound over what.
fn write_files(
    node: &Node,
    pod: &Pod,
    uid: &str,
    hostname: &str,
    address: Ipv4Addr,
) -> Result<Vec<(PathBuf, PathBuf)>, PodSandboxError> {
    let lab_hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let namespace = pod.namespace().unwrap_or_default();
    let folder = cleanup::files(node, uid);
    let contents = [
        (
            "/etc/hosts",
            files::hosts(pod, hostname, address, &lab_hosts),
        ),
        ("/etc/resolv.conf", files::resolv_conf(&namespace)),
    ];
    let mut binds = Vec::new();
    for (over, text) in contents {
        let over = PathBuf::from(over);
        // Nothing can be bound over a file this machine does not have.
        if !over.exists() {
            continue;
        }
        let path = folder.join(over.file_name().unwrap_or_default());
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| PodSandboxError::File {
                action: "write",
                path: path.clone(),
                source,
            })?;
        binds.push((path, over));
    }
    Ok(binds)
}

/// Whether the pod shares its node's network.
fn on_host_network(pod: &Pod) -> bool {
    pod.spec
        .as_ref()
        .is_some_and(|spec| spec.host_network == Some(true))
}

/// The processes in a cgroup and below. The kernel lists those of another process namespace as 0,
/// which to kill(2) is the caller's own group: they are left out, and killed with the cgroup.
fn processes(path: &Path) -> Vec<Pid> {
    let own = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let own = own
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter(|pid| *pid > 0)
        .map(Pid::from_raw);
    own.chain(
        cleanup::folders(path)
            .iter()
            .flat_map(|child| processes(child)),
    )
    .collect()
}
