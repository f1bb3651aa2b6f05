//! What the parts of the daemon share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::layout::Layout;
use crate::state::StateDir;
use crate::targets::Targets;

/// Given to every part of the lab's daemon, once the API server answers.
#[derive(Clone)]
pub struct Context {
    /// Names and addresses.
    pub layout: Arc<Layout>,
    /// Files of this lab: logs, credentials, sockets.
    pub dir: StateDir,
    /// The lab's own cgroup (version 2); parts make theirs below it.
    pub cgroup: PathBuf,
    /// The lab's API server, as its administrator.
    pub client: kube::Client,
    /// Where commands can run.
    pub targets: Targets,
    /// Environment every program in the lab gets: where its CA bundle is.
    pub program_env: Arc<std::collections::BTreeMap<String, String>>,
    /// Cancelled when the lab ends in order.
    pub shutdown: CancellationToken,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}
