//! How programs outside talk to the lab's daemon: a Unix socket in the state
//! directory, one JSON request and one JSON answer per connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hint;
use crate::options::{Network, Target};

/// What can be asked. The comment names the type of the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// [`Status`].
    Status,
    /// [`RunningTarget`](crate::targets::RunningTarget): what `exec` joins, with all environment it sets.
    Resolve(Target),
    /// Nothing: starts a service.
    Start(Service),
    /// Nothing: ends a service and forgets it.
    Stop {
        /// Its name.
        name: String,
    },
    /// Nothing: sends a signal to a service.
    Signal {
        /// Its name.
        name: String,
        /// Number of the signal.
        signal: i32,
    },
    /// [`String`]: a token of a service account.
    Token {
        /// Namespace of the service account.
        namespace: String,
        /// Name of the service account.
        name: String,
        /// Audience; the API server's own when absent.
        audience: Option<String>,
    },
}

/// A long-running program in the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Unique in the lab; its log is `logs/NAME.log` in the state directory.
    pub name: String,
    /// Where it runs.
    pub target: Target,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment, over what the lab sets for the target. Nothing else of the
    /// caller's environment reaches it.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Start it again whenever it ends by itself or is killed.
    pub restart: bool,
}

impl Service {
    /// A service that is not restarted, with no environment of its own, in the
    /// root directory.
    pub fn new<S: Into<String>>(
        name: &str,
        target: Target,
        argv: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            target,
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: PathBuf::from("/"),
            restart: false,
        }
    }

    /// Sets one variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Starts it again whenever it ends.
    #[must_use]
    pub fn restarting(mut self) -> Self {
        self.restart = true;
        self
    }
}

/// How a program of the lab does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProgramState {
    /// It runs.
    Running {
        /// Its process, as numbered inside the lab.
        pid: u32,
    },
    /// It ended and will be started again.
    Restarting,
    /// It ended for good.
    Ended {
        /// How, for people.
        how: String,
    },
}

/// One program of the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgramStatus {
    /// Its name.
    pub name: String,
    /// Part of the lab itself, rather than a service a caller started.
    pub component: bool,
    /// How it does.
    pub state: ProgramState,
    /// How often it was started again.
    pub restarts: u32,
}

/// A node of the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its address on the cloud's network.
    pub address: IpAddr,
    /// Azure resource id of its VM or scale set instance.
    pub resource_id: String,
}

/// A pod that has its namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Option<IpAddr>,
}

/// A whole lab at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its name.
    pub name: String,
    /// How pods are linked to their node.
    pub network: Network,
    /// Addresses outside the lab.
    pub endpoints: Endpoints,
    /// Its programs, components first.
    pub programs: Vec<ProgramStatus>,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Its pods.
    pub pods: Vec<PodStatus>,
}

/// Where a lab is reached from the machine's own network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Port of the API server on 127.0.0.1.
    pub api_server: u16,
    /// Port of the simulated Azure Resource Manager (HTTPS) on 127.0.0.1.
    pub arm: u16,
    /// Port of the simulated Entra ID (HTTPS) on 127.0.0.1.
    pub entra: u16,
    /// Port of the simulated Key Vault and Storage (HTTPS, by host name) on
    /// 127.0.0.1.
    pub data: u16,
    /// Port of the simulator's admin API (HTTP) on 127.0.0.1.
    pub admin: u16,
    /// The simulated tenant.
    pub tenant_id: String,
}

/// Why the daemon gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody takes requests.
    #[error(
        "the lab does not answer; end it with `{}`, or look at {}",
        hint::for_dir("down", socket.parent()),
        socket.with_file_name("logs").display()
    )]
    Unreachable {
        /// Where it should listen.
        socket: PathBuf,
        /// Why it cannot be reached.
        #[source]
        source: std::io::Error,
    },
    /// The answer is not one.
    #[error("the lab gave an answer that is none; was it started by another version of podid-lab?")]
    Unreadable(#[source] serde_json::Error),
    /// It answered with a refusal.
    #[error("{0}")]
    Refused(String),
}

/// An answer on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Ok(serde_json::Value),
    Error(String),
}

impl Answer {
    /// Any value as a good answer.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, String> {
        serde_json::to_value(value)
            .map(Self::Ok)
            .map_err(|error| error.to_string())
    }
}

/// Longest time the daemon may work about a request: a service is given ten
/// seconds to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the daemon that listens on `socket`.
pub fn ask<T: DeserializeOwned>(socket: &Path, request: &Request) -> Result<T, ControlError> {
    let line = exchange(socket, request).map_err(|source| ControlError::Unreachable {
        socket: socket.to_owned(),
        source,
    })?;
    match serde_json::from_str(&line).map_err(ControlError::Unreadable)? {
        Answer::Ok(value) => serde_json::from_value(value).map_err(ControlError::Unreadable),
        Answer::Error(message) => Err(ControlError::Refused(message)),
    }
}

fn exchange(socket: &Path, request: &Request) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    serde_json::to_writer(&mut stream, request)?;
    stream.write_all(b"\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
