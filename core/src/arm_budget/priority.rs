//! Who waits for a call.

use serde::Serialize;

/// Whether somebody waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum CallPriority {
    /// A person or a pod does.
    Awaited,
    /// Nobody does: it looks again at what was well the last time, or first after a start.
    Background,
}
