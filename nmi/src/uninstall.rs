//! Takes podid's rules off the node: the one way they go.

use podid_netfilter::{Nft, Rules, TABLE};
use podid_runtime::{BoxError, logging};

use crate::args::UninstallArgs;

/// Removes podid's tables, and the entries of the pods in them, from the network namespace of this
/// process. A second run finds nothing to do and is fine.
///
/// # Errors
/// When the kernel refuses; then nothing was removed.
pub async fn run(args: UninstallArgs) -> Result<(), BoxError> {
    logging::init(&args.log)?;
    if Nft::here()?.remove().await? {
        tracing::info!(
            table = TABLE,
            "rules removed; pods of this node now reach the node's own metadata service"
        );
    } else {
        tracing::info!(
            table = TABLE,
            "no rules of podid on this node; nothing to remove"
        );
    }
    Ok(())
}
