//! Announcements of the kernel, of which some may be lost.
//!
//! When a subscriber's queue is full, the kernel says so once, as an error, and then drops every announcement without a
//! word until the queue has been emptied. So who is told of a change, or of a loss, empties the queue before looking at
//! what has changed.

use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use tokio::task::unconstrained;

/// Pause after a subscription breaks, before its caller looks at what may have changed and subscribes again.
const BROKEN_PAUSE: Duration = Duration::from_millis(100);

/// Returns once an announcement is of note, or when some may have been lost; the queue is empty then.
pub(crate) async fn until_of_note<E>(
    announcements: &mut (impl Stream<Item = nlink::Result<E>> + Unpin),
    mut is_of_note: impl FnMut(E) -> bool,
) {
    loop {
        match announcements.next().await {
            Some(Ok(announcement)) => {
                if is_of_note(announcement) {
                    break;
                }
            }
            Some(Err(error)) if error.is_no_buffer_space() => break,
            // A subscription that breaks again and again must not keep the caller busy.
            Some(Err(_)) | None => {
                tokio::time::sleep(BROKEN_PAUSE).await;
                break;
            }
        }
    }
    drain(announcements);
}

/// Takes all announcements that are in the queue by now.
pub fn drain<E>(announcements: &mut (impl Stream<Item = nlink::Result<E>> + Unpin)) {
    // Without the runtime's limit on what a task does in one go, at which the queue would look empty.
    while let Some(Some(_)) = unconstrained(announcements.next()).now_or_never() {}
}
