//! Events on pods, for the people who run them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::events::{Event, EventType, Reporter};
use podid_core::binding::Pod;
use podid_index::events::{
    self, EventHistory, EventQueue, EventWriter, Publish, Repetition, pod_reference,
};

/// How many Events may wait while the API server is slow; more are dropped, the log has them.
const QUEUE: usize = 64;
/// Pause before the same warning is written again: an Event names the obstacle, and not how often a
/// request met it.
const REPETITION: Repetition = Repetition {
    first: Duration::from_secs(10 * 60),
    longest: Duration::from_secs(10 * 60),
};
/// How many warnings are remembered; with more, the oldest may be repeated.
const REMEMBERED: usize = 1024;

/// A warning about a pod.
#[derive(Clone, Debug)]
pub(crate) struct PodWarning {
    pub(crate) pod: Pod,
    /// The Event's `reason`, one CamelCase word.
    pub(crate) reason: &'static str,
    /// The Event's `action`, one CamelCase word.
    pub(crate) action: &'static str,
    /// The Event's `note`: what happened and what a person can do.
    pub(crate) note: String,
}

/// Where warnings are handed in. Never waits. Clones share which warnings were written.
#[derive(Clone, Debug)]
pub(crate) struct PodEvents {
    writer: EventWriter,
    /// By uid of the pod.
    history: Arc<Mutex<EventHistory<String>>>,
}

/// Where warnings are handed in, and the queue of those to write.
pub(crate) fn channel() -> (PodEvents, EventQueue) {
    let (writer, queue) = events::channel(QUEUE);
    let history = Arc::new(Mutex::new(EventHistory::new(REPETITION, REMEMBERED)));
    (PodEvents { writer, history }, queue)
}

/// Whom Events name as their author: this daemon on its node.
pub(crate) fn reporter(node: String) -> Reporter {
    Reporter {
        controller: "podid-nmi".to_owned(),
        instance: Some(node),
    }
}

impl PodEvents {
    /// Writes an Event, and logs it, unless the same was said lately.
    pub(crate) fn warn(&self, warning: PodWarning) {
        if !self.is_due(&warning) {
            return;
        }
        let PodWarning {
            pod,
            reason,
            action,
            note,
        } = warning;
        tracing::warn!(namespace = pod.namespace, pod = pod.name, reason, "{note}");
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(note),
            action: action.to_owned(),
            secondary: None,
        };
        self.writer.write(event, pod_reference(&pod));
    }

    /// Reason and note together are the subject: two causes may alternate, and each is to be written once.
    fn is_due(&self, warning: &PodWarning) -> bool {
        let subject = format!("{}: {}", warning.reason, warning.note);
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.publish_repeatedly(&warning.pod.uid, &subject, "") != Publish::No
    }
}

/// Reason and note of the next Event that waits.
#[cfg(test)]
pub(crate) fn next_warning(queue: &mut EventQueue) -> Option<(String, String)> {
    let (event, _) = queue.try_next()?;
    Some((event.reason, event.note.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::within_limit;

    fn warning(uid: &str, note: &str) -> PodWarning {
        let pod = Pod {
            namespace: "ns".into(),
            name: "app".into(),
            uid: uid.into(),
            selector: None,
            service_account: "default".into(),
            breaches: [].into(),
            unserved: None,
        };
        PodWarning {
            pod,
            reason: "Word",
            action: "IssueToken",
            note: note.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_is_said_once_and_again_after_a_while() {
        within_limit(async {
            let (events, _queue) = channel();
            let said = |uid, note| events.is_due(&warning(uid, note));
            let wait = |seconds| tokio::time::advance(Duration::from_secs(seconds));
            assert!(said("a", "x"));
            wait(599).await;
            assert!(!said("a", "x"));
            assert!(said("b", "x"), "another pod");
            assert!(said("a", "y"), "another cause");
            assert!(!said("a", "x"), "by turns");
            wait(599).await;
            assert!(!said("a", "y"));
            wait(1).await;
            assert!(said("a", "y"));
            assert!(said("a", "x"));
            wait(600).await;
            assert!(said("a", "x"), "the pause does not grow");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        within_limit(async {
            let (events, _queue) = channel();
            for number in 0..(2 * REMEMBERED) {
                assert!(events.is_due(&warning(&number.to_string(), "x")));
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            assert_eq!(events.history.lock().unwrap().len(), REMEMBERED);
            let last = (2 * REMEMBERED - 1).to_string();
            assert!(!events.is_due(&warning(&last, "x")));
        })
        .await;
    }

    #[tokio::test]
    async fn a_warning_is_queued_once_and_fits_an_event() {
        within_limit(async {
            let (events, mut queue) = channel();
            let long = "ä".repeat(2000);
            for _ in 0..100 {
                events.warn(warning("a", &long));
            }
            let (_, note) = next_warning(&mut queue).unwrap();
            assert!(note.len() <= events::NOTE_MAX && note.ends_with("ä…"));
            assert_eq!(next_warning(&mut queue), None);
        })
        .await;
    }
}
