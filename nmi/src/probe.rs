//! Asks a daemon whether it is ready. A kubelet that probes over the network cannot tell two daemons of one node
//! apart.

use podid_runtime::admin::{self, ProbeError};

use crate::args::ProbeArgs;

/// Prints what the daemon lacks until it is ready.
///
/// # Errors
/// While it is not ready, or does not answer.
pub async fn run(args: ProbeArgs) -> Result<(), ProbeError> {
    admin::probe(&args.admin_socket).await
}
