//! A process with namespaces of its own that does nothing but keep them, as
//! `pause` does for a pod: the kernel removes a namespace with its last process.

mod host;
mod process;

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nlink::netlink::namespace::NetnsRef;
use nlink::netlink::{Connection, Route};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::cgroup;

use process::{READY, announce, failed};

pub use host::ContainerHost;
pub use process::ProcessError;

/// What a sandbox is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Name shown by `ps`, for people: `pause` or `node`.
    pub title: String,
    /// Host name inside.
    pub hostname: String,
    /// Directory of the cgroup it joins before it starts; must exist.
    pub cgroup: PathBuf,
    /// Process whose network namespace it shares, as a pod on the host network
    /// shares its node's; a new one when there is none.
    pub network_of: Option<u32>,
    /// Files or directories (first) bound over existing paths (second) in its
    /// mount namespace.
    pub binds: Vec<(PathBuf, PathBuf)>,
    /// What it has besides when containers run in it: its own processes and cgroups, too.
    pub host: Option<ContainerHost>,
}

/// A running process with its own network, mount, IPC and host name
/// namespaces. Dropping it kills it, and with it all that runs in a [`ContainerHost`].
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
    /// The process that is in the namespaces: the child, or the child's own.
    pid: u32,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The program did not start.
    #[error("cannot start the process that keeps the namespaces of {hostname}")]
    Spawn {
        /// Its host name.
        hostname: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It started, and failed before it was ready.
    #[error("the process that keeps the namespaces of {hostname} failed: {reason}")]
    Failed {
        /// Its host name.
        hostname: String,
        /// Its error, as it wrote it.
        reason: String,
    },
    /// Its loopback link stayed down.
    #[error("cannot bring up loopback in {hostname}")]
    Loopback {
        /// Its host name.
        hostname: String,
        /// Why not.
        #[source]
        source: nlink::netlink::Error,
    },
}

impl Sandbox {
    /// Starts one and waits until its namespaces are ready: loopback is up,
    /// binds are mounted. `/proc/PID/ns/net` may then be moved links into.
    pub async fn start(spec: SandboxSpec) -> Result<Self, SandboxError> {
        let hostname = spec.hostname.clone();
        let spawn = |source| SandboxError::Spawn {
            hostname: hostname.clone(),
            source,
        };
        let text = serde_json::to_string(&spec).map_err(|error| spawn(error.into()))?;
        let mut child = Command::new("/proc/self/exe")
            .arg0(&spec.title)
            .args(["sandbox", &text])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(spawn)?;
        let answer = first_line(&mut child).await.map_err(spawn)?;
        let ready = answer.strip_prefix(READY).map(str::trim);
        let Some(Ok(pid)) = ready.map(str::parse) else {
            return Err(SandboxError::Failed {
                hostname,
                reason: answer,
            });
        };
        bring_up_loopback(pid)
            .await
            .map_err(|source| SandboxError::Loopback { hostname, source })?;
        Ok(Self { child, pid })
    }

    /// Its process, as numbered in the process namespace of the caller.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it ends by itself or is killed from outside.
    pub async fn ended(&mut self) {
        // Only a process that was waited for already cannot be waited for.
        let _ = self.child.wait().await;
    }

    /// Kills it and waits until it is gone.
    pub async fn stop(mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill().await;
    }
}

async fn first_line(child: &mut Child) -> std::io::Result<String> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).await?;
    }
    if line.is_empty() {
        line.push_str("it ended without a message");
    }
    Ok(line.trim_end().to_owned())
}

async fn bring_up_loopback(pid: u32) -> nlink::netlink::Result<()> {
    let kernel: Connection<Route> = Connection::new_in(NetnsRef::Pid(pid))?;
    kernel.set_link_up("lo").await
}

/// The process of a sandbox: makes the namespaces, writes that it is ready and
/// waits to be killed. Must be called by a process of one thread.
pub fn run(spec: &str) -> Result<Infallible, ProcessError> {
    let spec: SandboxSpec = serde_json::from_str(spec)?;
    match &spec.host {
        Some(host) => enter_cgroups(&spec, host)?,
        None => cgroup::join(&spec.cgroup)?,
    }
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    match spec.network_of {
        None => unshare(own | CloneFlags::CLONE_NEWNET),
        Some(pid) => join_network(pid).and_then(|()| unshare(own)),
    }
    .map_err(failed("make namespaces"))?;
    nix::unistd::sethostname(&spec.hostname).map_err(failed("set the host name"))?;
    for (from, over) in &spec.binds {
        let none = None::<&str>;
        mount(Some(from), over, none, MsFlags::MS_BIND, none).map_err(failed(format!(
            "bind {} over {}",
            from.display(),
            over.display()
        )))?;
    }
    if spec.host.is_some() {
        return start_first(&spec);
    }
    announce(std::process::id());
    loop {
        nix::unistd::pause();
    }
}

/// Enters the cgroups of the host, which its processes are to see as the roots, and then
/// the one below that its own programs share: in version 2, only those without children have
/// processes.
fn enter_cgroups(spec: &SandboxSpec, host: &ContainerHost) -> Result<(), ProcessError> {
    for hierarchy in &host.hierarchies {
        cgroup::join(&hierarchy.path)?;
    }
    cgroup::join(spec.cgroup.parent().unwrap_or(&spec.cgroup))?;
    unshare(CloneFlags::CLONE_NEWCGROUP).map_err(failed("make a cgroup namespace"))?;
    Ok(cgroup::join(&spec.cgroup)?)
}

/// Starts the first process of a process namespace, passes on what it says, and ends with it.
fn start_first(spec: &SandboxSpec) -> Result<Infallible, ProcessError> {
    let first = |error: std::io::Error| ProcessError::First(format!("no first process: {error}"));
    unshare(CloneFlags::CLONE_NEWPID).map_err(failed("make a process namespace"))?;
    let text = serde_json::to_string(spec)?;
    let mut child = std::process::Command::new("/proc/self/exe")
        .arg0(&spec.title)
        .args(["sandbox", "--first", &text])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(first)?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut said)
            .map_err(first)?;
    }
    if !said.starts_with(READY) {
        return Err(ProcessError::First(said.trim_end().to_owned()));
    }
    // The child knows its number in its own process namespace only.
    announce(child.id());
    let ended = child.wait().map_err(first)?;
    Err(ProcessError::First(format!(
        "its first process ended: {ended}"
    )))
}

/// As [`run`], for the process that [`start_first`] starts.
pub fn run_first(spec: &str) -> Result<Infallible, ProcessError> {
    let spec: SandboxSpec = serde_json::from_str(spec)?;
    match &spec.host {
        Some(host) => host::run(&spec.title, host),
        None => Err(ProcessError::First("not a host of containers".to_owned())),
    }
}

fn join_network(pid: u32) -> nix::Result<()> {
    let network = File::open(format!("/proc/{pid}/ns/net"))
        .map_err(|error| error.raw_os_error().map_or(Errno::ENOENT, Errno::from_raw))?;
    setns(network, CloneFlags::CLONE_NEWNET)
}
