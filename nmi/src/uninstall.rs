//! Ends interception on the node. Nothing else does: the rules stay when the daemon ends.

use podid_runtime::{BoxError, Drain, Signals, logging};

use crate::args::UninstallArgs;
use crate::boot_unit;
use crate::intercept::nftables;

/// Removes podid's tables, and the entries of the pods in them, from the network namespace of this
/// process. A second run finds nothing to do and is fine. With `--stay` it returns only after a signal.
///
/// # Errors
/// When the kernel refuses; then nothing was removed. When signals cannot be caught.
pub async fn run(args: UninstallArgs) -> Result<(), BoxError> {
    logging::init(&args.log)?;
    let (signals, drain) = (Signals::install()?, Drain::new());
    // The unit first: otherwise a node that restarts in between would get rules that nobody removes.
    if let Some(node_root) = &args.node_root {
        boot_unit::remove(node_root)?;
    }
    nftables::remove().await?;
    if args.stay {
        tokio::select! {
            _ = signals.forward_to(drain.clone()) => {}
            () = drain.draining() => {}
        }
    }
    Ok(())
}
