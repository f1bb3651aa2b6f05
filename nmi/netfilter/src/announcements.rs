//! Announcements of the kernel, of which some may be lost.
//!
//! When a subscriber's queue is full, the kernel says so once, as an error, and then drops every announcement without a
//! word until the queue has been emptied. So who is told of a change, or of a loss, empties the queue before looking at
//! what has changed.

use futures::{FutureExt, Stream, StreamExt};
use tokio::task::unconstrained;

/// Takes all announcements that are in the queue by now.
pub fn drain<E>(announcements: &mut (impl Stream<Item = nlink::Result<E>> + Unpin)) {
    // Without the runtime's limit on what a task does in one go, at which the queue would look empty.
    while let Some(Some(_)) = unconstrained(announcements.next()).now_or_never() {}
}
