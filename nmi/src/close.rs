//! Keeps pods from the node's metadata service before the daemon starts. A node that restarts has lost its rules,
//! and its kubelet starts its pods in any order.

use podid_runtime::{BoxError, logging};

use crate::args::CloseArgs;
use crate::intercept::nftables;

/// Adds the rules that keep pods from the platform, unless rules of podid are there.
///
/// # Errors
/// When the kernel refuses; then nothing was added.
pub async fn run(args: CloseArgs) -> Result<(), BoxError> {
    logging::init(&args.log)?;
    Ok(nftables::close().await?)
}
