//! The lab itself: every part of it that is not a program of its own runs in
//! this process, which also supervises the programs.
//!
//! [`run`] is the start-up story, in order.

mod bootstrap;
mod cloud;
mod cluster;
mod forward;
mod parts;
mod pki;
mod programs;
pub(crate) mod requests;
mod start;
mod steps;
mod supervise;
mod truststore;
mod view;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

use crate::control::Endpoints;
use crate::events;
use crate::options::UpOptions;
use crate::state::{StateDir, StateError};

pub use cloud::{CloudError, OPERATOR_APPLICATION, OPERATOR_CLIENT_ID, OPERATOR_ROLES};
pub use cluster::{ISSUER, OPERATOR_ACCOUNT};
pub(crate) use pki::KeyedCertificate;
pub use steps::StepError;
pub use supervise::SuperviseError;

/// File in the state directory with what the lab was started from.
pub const SPEC_FILE: &str = "spec.json";
/// File in the state directory with the lab's [`Endpoints`].
pub const ENDPOINTS_FILE: &str = "endpoints.json";

/// What a lab is started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// What the caller chose.
    pub options: UpOptions,
    /// Directory of the built programs.
    pub tools: PathBuf,
}

/// Why the daemon did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A port on the machine's loopback cannot be had.
    #[error("cannot listen on the machine's loopback")]
    Loopback(#[source] std::io::Error),
    /// The lab's network namespace was refused.
    #[error("cannot make the control plane's network namespace")]
    Namespace(#[source] nix::errno::Errno),
    /// A part of the view was refused.
    #[error(transparent)]
    View(#[from] view::ViewError),
    /// The async runtime did not start.
    #[error("cannot start the async runtime")]
    Runtime(#[source] std::io::Error),
    /// A step of the start-up failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A part the lab cannot be without ended.
    #[error("{part} ended{why}")]
    Ended {
        /// The part.
        part: &'static str,
        /// Its last words, after a colon.
        why: String,
    },
}

/// The command that runs [`run`], for init.
pub fn command(dir: &StateDir, cgroup: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("podid-lab")
        .arg("daemon")
        .arg("--state")
        .arg(dir.path())
        .arg("--cgroup")
        .arg(cgroup);
    command.stdin(Stdio::null());
    command
}

/// Sockets on the machine's loopback, from before the daemon left its network.
#[derive(Debug)]
struct Doors {
    api_server: TcpListener,
    cloud: cloud::CloudSockets,
}

impl Doors {
    fn open() -> std::io::Result<Self> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let cloud = cloud::CloudSockets {
            arm: free()?,
            entra: free()?,
            data: free()?,
            admin: free()?,
        };
        Ok(Self {
            api_server: free()?,
            cloud,
        })
    }

    fn endpoints(&self, tenant_id: String) -> std::io::Result<Endpoints> {
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        Ok(Endpoints {
            api_server: port(&self.api_server)?,
            arm: port(&self.cloud.arm)?,
            entra: port(&self.cloud.entra)?,
            data: port(&self.cloud.data)?,
            admin: port(&self.cloud.admin)?,
            tenant_id,
        })
    }
}

/// Runs the lab kept in `dir` until a part it cannot be without ends. Must be
/// called by a process of one thread, in the lab's mount and process
/// namespaces and the machine's network namespace.
pub fn run(dir: &StateDir, cgroup: &Path) -> Result<(), DaemonError> {
    let lived = live(dir, cgroup);
    if let Err(error) = &lived {
        let event = match error {
            DaemonError::Step(step) => step.event(dir),
            other => events::Event::Failed {
                message: events::chain(other),
                log: Vec::new(),
            },
        };
        events::emit(&event);
        tracing::error!(error = events::chain(error), "the lab ends");
    }
    lived
}

fn live(dir: &StateDir, cgroup: &Path) -> Result<(), DaemonError> {
    // Cosmetic, so that `ps` shows it: worth no failure.
    let _ = nix::sys::prctl::set_name(c"podid-lab");
    let spec: Spec = dir.read_json(SPEC_FILE)?;
    let doors = Doors::open().map_err(DaemonError::Loopback)?;
    // Sockets keep the namespace they were made in; threads started from here
    // on live in the lab's.
    unshare(CloneFlags::CLONE_NEWNET).map_err(DaemonError::Namespace)?;
    view::mount_etcd_memory(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?;
    runtime.block_on(start::serve(dir, cgroup, spec, doors))
}
