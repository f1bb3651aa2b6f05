//! What both daemons know of the API server's objects, kept up to date with little work per change.
//!
//! ```text
//! API server ─► watch (single facts) ─┬─► watch::Watch (whole objects, for kube's controllers)
//!                                     └─► feed (core's values) ─► index (what follows, per pod)
//! people     ◄─ events (each cause once, shortened, without waiting)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `key` | namespace and name of an object |
//! | `watch` | from a kube watcher to facts: an object is there, is gone, all were listed |
//! | `feed` | facts about each kind, converted to the values of `podid-core` |
//! | `index` | the incremental index from objects to what follows for each pod |
//! | `events` | writing Kubernetes Events |

pub mod events;
pub mod feed;
mod index;
mod key;
pub mod watch;

pub use index::{Derive, Index, Multi, PodObjects, PodOnNode};
pub use key::{ObjectKey, key_of};
