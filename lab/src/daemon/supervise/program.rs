//! What is run in a lab.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::options::Target;

/// A program, and where and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// Part of the lab, not started by a caller.
    pub(crate) component: bool,
    /// Where it runs. The control plane is the daemon's own namespaces.
    pub(crate) target: Target,
    pub(crate) argv: Vec<String>,
    /// All of its environment.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) restart: bool,
}
