//! Writing Kubernetes Events: what a person who describes an object should read there.
//!
//! | part | does |
//! |---|---|
//! | [`EventHistory`] | which Event was the last about which object, so that each is published once, and again when its cause changes or lasts |
//! | [`shortened`] | as much of a text as the API server takes |
//! | [`EventWriter`] | hands Events to a task that writes them, and never waits |

mod history;
mod note;
mod writer;

pub use history::{EventHistory, Publish, Repetition};
pub use note::{NOTE_MAX, shortened};
pub use writer::{EventQueue, EventWriter, channel, pod_reference};
