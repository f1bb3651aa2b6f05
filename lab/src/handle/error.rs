//! What can go wrong with a lab as its users see it.

use std::path::PathBuf;

use crate::cgroup::CgroupError;
use crate::control::ControlError;
use crate::hint;
use crate::layout::MAX_NODES;
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
    /// There is no such lab.
    #[error("lab {} is not up; start it with `{}`", .0, hint::for_lab("up", .0))]
    NotUp(String),
    /// The lab did not come up.
    #[error("the lab did not come up: {message}")]
    Start {
        /// What failed and why.
        message: String,
        /// Last lines of the log that tells more.
        log: Vec<String>,
    },
    /// The lab's own program cannot be found.
    #[error(
        "the program podid-lab is not beside {0}; build it with `cargo build --workspace --bins`, or name it in PODID_LAB_BIN"
    )]
    NoProgram(PathBuf),
    /// The keeper cannot be started or told.
    #[error("cannot start the lab's keeper")]
    Keeper(#[source] std::io::Error),
    /// The lab does not end.
    #[error("lab {name} does not end; its keeper is process {keeper}")]
    Endless {
        /// The lab's name.
        name: String,
        /// The keeper's process number.
        keeper: i32,
    },
    /// What the lab was to be started from cannot be told.
    #[error("cannot describe the lab to its keeper")]
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
    /// The cgroup cannot be removed.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}
