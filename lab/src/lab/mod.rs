//! A running lab, for tests and tools.

mod end;
mod error;
mod start;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command};

use crate::control::{self, Endpoints, Request, Service, Status};
use crate::events::Event;
use crate::kubeconfig::{Credential, render};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE, MAX_NODES};
use crate::monitor::{MONITOR_FILE, MonitorInfo};
use crate::options::{Kubernetes, Lifetime, NodeAgent, Target, UpOptions};
use crate::spec::{ENDPOINTS_FILE, SPEC_FILE, Spec};
use crate::state::{AUDIT_LOG, StateDir};
use crate::targets::RunningTarget;
use crate::{cgroup, exec, executable, tools};

pub use error::LabError;

/// A lab that is up. Every call asks the lab's daemon; nothing is cached, so
/// the value stays right while pods come and go.
#[derive(Debug)]
pub struct Lab {
    name: String,
    dir: StateDir,
    executable: PathBuf,
    endpoints: Endpoints,
    /// The monitor, when the lab ends with this value: dropping the child closes
    /// the monitor's standard input.
    monitor: Option<Child>,
}

/// From where a kubeconfig is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// By a program in the lab.
    Inside,
    /// By a program in the machine's own network.
    Outside,
}

impl Lab {
    /// Starts a lab and returns once every part is ready. Missing programs are
    /// built first, which takes minutes and is reported on standard error.
    pub fn up(options: UpOptions) -> Result<Self, LabError> {
        Self::up_with_progress(options, |_| {})
    }

    /// As [`Lab::up`], and calls `report` at each step.
    pub fn up_with_progress(
        options: UpOptions,
        mut report: impl FnMut(&Event),
    ) -> Result<Self, LabError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(LabError::NotRoot);
        }
        if options.nodes.is_empty() || options.nodes.len() > usize::from(MAX_NODES) {
            return Err(LabError::Nodes(options.nodes.len()));
        }
        if options.node_agent == NodeAgent::Kubelet {
            if options.kubernetes < Kubernetes::default() {
                return Err(LabError::NewerKubelet(options.kubernetes));
            }
            cgroup::Controllers::find()?;
        }
        let dir = StateDir::of(&options.name)?;
        let executable = executable::find()?;
        let tools = tools::ensure(&options.tools())?.path().to_owned();
        let lifetime = options.lifetime;
        let name = options.name.clone();
        let mut monitor = start::monitor(&executable, &Spec { options, tools })?;
        if let Err(error) = start::follow(&mut monitor, &mut report) {
            // It removes the lab after its last event, and then ends.
            let _ = monitor.wait();
            return Err(error);
        }
        let monitor = match lifetime {
            Lifetime::Caller => Some(monitor),
            Lifetime::UntilDown => {
                start::release(&mut monitor).map_err(LabError::Monitor)?;
                None
            }
        };
        let endpoints = dir.read_json(ENDPOINTS_FILE)?;
        Ok(Self {
            name,
            dir,
            executable,
            endpoints,
            monitor,
        })
    }

    /// The running lab called `name`.
    pub fn connect(name: &str) -> Result<Self, LabError> {
        let dir = StateDir::of(name)?;
        if !dir.is_running() || !dir.control_socket().exists() {
            return Err(LabError::NotUp(name.to_owned()));
        }
        let endpoints = dir.read_json(ENDPOINTS_FILE)?;
        let executable = executable::find()?;
        Ok(Self {
            name: name.to_owned(),
            dir,
            executable,
            endpoints,
            monitor: None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its files.
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// The state of all its parts.
    pub fn status(&self) -> Result<Status, LabError> {
        self.ask(&Request::Status)
    }

    /// The network namespace of `target`, for [`in_namespace`](crate::net::in_namespace).
    ///
    /// # Errors
    /// When `target` does not run, or the lab is down.
    pub fn network_namespace(&self, target: &Target) -> Result<PathBuf, LabError> {
        let processes: MonitorInfo = self.dir.read_json(MONITOR_FILE)?;
        let running: RunningTarget = self.ask(&Request::Resolve(target.clone()))?;
        Ok(exec::process_directory(&processes, &running).join("ns/net"))
    }

    /// A command that runs `argv` in `target` with the standard input and
    /// output, working directory and environment it is given, and ends with
    /// the program's exit code.
    pub fn command<S: AsRef<OsStr>>(
        &self,
        target: &Target,
        argv: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(["exec", "--name", &self.name]);
        match target {
            Target::ControlPlane => command.arg("--control-plane"),
            Target::Node(node) => command.args(["--node", node]),
            Target::Pod { namespace, name } => command.args(["--namespace", namespace, name]),
        };
        command.arg("--").args(argv);
        command
    }

    /// Starts a long-running program under the lab's own supervision.
    pub fn spawn_service(&self, service: Service) -> Result<(), LabError> {
        self.ask(&Request::Start(service))
    }

    /// Ends a service (SIGTERM, then SIGKILL after ten seconds) and forgets it.
    pub fn stop_service(&self, name: &str) -> Result<(), LabError> {
        self.ask(&Request::Stop {
            name: name.to_owned(),
        })
    }

    /// Sends signal number `signal` to a service or component; one that is
    /// restarted comes back.
    pub fn kill_service(&self, name: &str, signal: i32) -> Result<(), LabError> {
        self.ask(&Request::Signal {
            name: name.to_owned(),
            signal,
        })
    }

    /// Administrator's kubeconfig for programs outside the lab.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.kubeconfig()
    }

    /// What the API server has written down of the requests of podid's service accounts, and of new pods: an audit event
    /// of Kubernetes a line.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.file(AUDIT_LOG)
    }

    /// Kubeconfig of a service account, good for a day.
    pub fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
        side: Side,
    ) -> Result<PathBuf, LabError> {
        let token = self.token(namespace, name, None)?;
        let (server, suffix) = match side {
            Side::Inside => (
                format!("https://{CONTROL_PLANE}:{API_SERVER_PORT}"),
                "inside",
            ),
            Side::Outside => (
                format!("https://127.0.0.1:{}", self.endpoints.api_server),
                "outside",
            ),
        };
        let ca = self.dir.read("cluster-ca.pem")?;
        let text = render(&self.name, &server, &ca, &Credential::Token(&token));
        let file = format!("credentials/{namespace}.{name}.{suffix}.kubeconfig");
        Ok(self.dir.write(&file, text)?)
    }

    /// A file with a token of a service account for `audience`, good for a
    /// day, as a projected volume would hold it.
    pub fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audience: &str,
    ) -> Result<PathBuf, LabError> {
        let token = self.token(namespace, name, Some(audience))?;
        let plain: String = audience
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        Ok(self.dir.write(
            &format!("credentials/{namespace}.{name}.{plain}.token"),
            token,
        )?)
    }

    fn token(
        &self,
        namespace: &str,
        name: &str,
        audience: Option<&str>,
    ) -> Result<String, LabError> {
        self.ask(&Request::Token {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            audience: audience.map(str::to_owned),
        })
    }

    /// Where the lab is reached from outside.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Base URL of the simulator's admin API, on the machine's loopback.
    pub fn sim_admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.endpoints.admin)
    }

    /// Directory of the programs that the lab runs or offers, kubectl among them.
    pub fn tools(&self) -> Result<PathBuf, LabError> {
        let spec: Spec = self.dir.read_json(SPEC_FILE)?;
        Ok(spec.tools.join("bin"))
    }

    /// kubectl as the cluster's administrator, from outside the lab.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Command, LabError> {
        let mut command = Command::new(self.tools()?.join("kubectl"));
        command.env("KUBECONFIG", self.kubeconfig()).args(arguments);
        Ok(command)
    }

    /// Log of a component or service.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.log(name)
    }

    /// Leaves the lab running after this value and this process, until `down`.
    pub fn keep(mut self) -> Result<(), LabError> {
        let Some(mut monitor) = self.monitor.take() else {
            return Ok(());
        };
        start::release(&mut monitor).map_err(LabError::Monitor)
    }

    /// Ends the lab and removes all of it.
    pub fn down(mut self) -> Result<(), LabError> {
        self.end_own();
        Self::remove(&self.name).map(drop)
    }

    /// Ends the lab called `name`, or removes what is left of it. Returns whether
    /// there was anything.
    pub fn remove(name: &str) -> Result<bool, LabError> {
        let dir = StateDir::of(name)?;
        if !dir.path().exists() {
            return Ok(false);
        }
        end::monitor(name, &dir)?;
        cgroup::remove(&cgroup::of_lab(name, &dir)?)?;
        dir.remove()?;
        Ok(true)
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<T, LabError> {
        Ok(control::ask(&self.dir.control_socket(), request)?)
    }

    fn end_own(&mut self) {
        if let Some(mut monitor) = self.monitor.take() {
            // Waiting closes its standard input, at which the monitor ends the lab.
            let _ = monitor.wait();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end_own();
    }
}
