//! Ends interception on the node. Nothing else does: the rules stay when the daemon ends.

use podid_runtime::{BoxError, logging};

use crate::args::UninstallArgs;
use crate::intercept::nftables;

/// Removes podid's tables, and the entries of the pods in them, from the network namespace of this
/// process. A second run finds nothing to do and is fine.
///
/// # Errors
/// When the kernel refuses; then nothing was removed.
pub async fn run(args: UninstallArgs) -> Result<(), BoxError> {
    logging::init(&args.log)?;
    Ok(nftables::remove().await?)
}
