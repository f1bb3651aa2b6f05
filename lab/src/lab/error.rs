//! What can go wrong with a lab as its users see it.

use crate::cgroup::CgroupError;
use crate::control::ControlError;
use crate::executable::ExecutableError;
use crate::hint;
use crate::layout::MAX_NODES;
use crate::options::Kubernetes;
use crate::state::StateError;
use crate::tools::ToolsError;

/// Why a lab cannot be started, found, used or ended.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Not root.
    #[error(
        "a lab needs root: namespaces, links and cgroups are the kernel's; start a shell with \
         `sudo -E env \"PATH=$PATH\" bash`, and type the same there"
    )]
    NotRoot,
    /// Too few or too many nodes.
    #[error("a lab has 1 to {MAX_NODES} nodes, not {0}")]
    Nodes(usize),
    /// A kubelet newer than its API server, which Kubernetes does not support.
    #[error(
        "nodes that run containers have a kubelet of Kubernetes {newest}, and no kubelet may be newer than its API \
         server: with Kubernetes {0}, use stand-ins (--node-agent stand-in)", newest = Kubernetes::default()
    )]
    NewerKubelet(Kubernetes),
    /// There is no such lab.
    #[error("lab {} is not up; start it with `{}`", .0, hint::for_lab("up", .0))]
    NotUp(String),
    /// The lab did not come up.
    #[error("the lab did not come up: {message}")]
    Start {
        /// What failed and why.
        message: String,
        /// Last lines of the log of what failed.
        log: Vec<String>,
    },
    /// The lab's own program cannot be found.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// The monitor cannot be started, or written to.
    #[error("cannot start the lab's monitor")]
    Monitor(#[source] std::io::Error),
    /// The lab does not end.
    #[error("lab {name} does not end; its monitor is process {monitor}")]
    Endless {
        /// The lab's name.
        name: String,
        /// The monitor's process number.
        monitor: i32,
    },
    /// What the lab is started from cannot be written as JSON.
    #[error("cannot describe the lab to its monitor")]
    Spec(#[source] serde_json::Error),
    /// The programs cannot be had.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The daemon gave no good answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The cgroup cannot be used or removed.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}
