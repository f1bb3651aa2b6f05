//! A running lab, as tests and tools hold it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::{Target, UpOptions};

/// A lab that is up. Every call asks the lab's first process; nothing is
/// cached, so a handle stays right while pods come and go.
#[derive(Debug)]
pub struct Lab {}

/// A long-running program in the lab, started with [`Lab::spawn_service`].
#[derive(Clone, Debug)]
pub struct Service {
    /// Unique in the lab; its log is `logs/NAME.log` in the state directory.
    pub name: String,
    /// Where it runs.
    pub target: Target,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment, over what the lab sets for `target`.
    pub env: BTreeMap<String, String>,
    /// Start it again whenever it ends by itself or is killed.
    pub restart: bool,
}

impl Lab {
    /// Starts a lab and returns once every part is ready.
    pub fn up(options: UpOptions) -> Result<Self, LabError>;
    /// The running lab called `name`.
    pub fn connect(name: &str) -> Result<Self, LabError>;
    /// A command that runs `argv` in `target`, with stdio, working directory
    /// and exit code as if it ran here.
    pub fn command<S: AsRef<OsStr>>(&self, target: &Target, argv: impl IntoIterator<Item = S>) -> Command;
    /// Starts a long-running program under the lab's own supervision.
    pub fn spawn_service(&self, service: Service) -> Result<(), LabError>;
    /// Ends it (SIGTERM, then SIGKILL after ten seconds) and forgets it.
    pub fn stop_service(&self, name: &str) -> Result<(), LabError>;
    /// Sends `signal` to it; with `restart` it comes back.
    pub fn kill_service(&self, name: &str, signal: i32) -> Result<(), LabError>;
    /// Administrator's kubeconfig for programs outside the lab.
    pub fn kubeconfig(&self) -> PathBuf;
    /// Kubeconfig of a service account, for programs inside the lab.
    pub fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, LabError>;
    /// A file with a token of a service account for `audience`, as a projected volume has it.
    pub fn service_account_token(&self, namespace: &str, name: &str, audience: &str) -> Result<PathBuf, LabError>;
    /// Base URL of the simulator's admin API, on the machine's loopback.
    pub fn sim_admin_url(&self) -> &str;
    /// Path of a service's or component's log.
    pub fn log(&self, name: &str) -> PathBuf;
    /// Ends the lab and removes all of it.
    pub fn down(self) -> Result<(), LabError>;
}
