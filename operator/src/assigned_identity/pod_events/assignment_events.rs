//! Which Events on pods are due, and how they read.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use kube::Client;
use kube::runtime::events::{Event, EventType, Reporter};
use podid_core::assigned_identity::AssignmentWarning;
use podid_core::binding::Pod;
use podid_index::ObjectKey;
use podid_index::events::{self, EventHistory, EventWriter, Publish, Repetition, pod_reference};

use crate::FIELD_MANAGER;

/// Events waiting to be written. Beyond that they are dropped.
const MAX_WAITING: usize = 4096;
/// How often the Event about a cause that lasts is published again.
const REPETITION: Repetition = Repetition {
    first: Duration::from_secs(600),
    longest: Duration::from_secs(1800),
};
/// Cause of the Event about an assigned identity; that of a warning is never empty.
const ASSIGNED: &str = "";

/// Publishes each Event once, and again at intervals while its cause lasts.
#[derive(Debug)]
pub(in crate::assigned_identity) struct AssignmentEvents {
    writer: EventWriter,
    /// Pods that are gone are forgotten, so it needs no bound of its own.
    history: EventHistory<ObjectKey>,
    /// Uids of the pods in the history: one that was made anew under its name is another pod.
    uids: HashMap<ObjectKey, String>,
}

impl AssignmentEvents {
    /// The Events, and the task that writes them; it ends when the former is gone.
    pub(in crate::assigned_identity) fn new(
        client: Client,
    ) -> (
        Self,
        impl Future<Output = Result<(), Infallible>> + Send + 'static,
    ) {
        let (writer, queue) = events::channel(MAX_WAITING);
        let reporter = Reporter::from(FIELD_MANAGER);
        (Self::writing_to(writer), queue.run(client, reporter))
    }

    fn writing_to(writer: EventWriter) -> Self {
        Self {
            writer,
            history: EventHistory::new(REPETITION, usize::MAX),
            uids: HashMap::new(),
        }
    }

    /// Publishes that an identity is on the VM or scale set under the pod, unless that was published last.
    pub(in crate::assigned_identity) fn assigned(&mut self, pod: &Pod, subject: &str) {
        let key = self.key_of(pod);
        if self.history.publish_once(&key, subject, ASSIGNED) != Publish::No {
            self.writer.write(assigned(subject), pod_reference(pod));
        }
    }

    /// Publishes what keeps a pod from its identities, as far as that is new or due again; what is not
    /// among `warnings` holds no longer.
    pub(in crate::assigned_identity) fn warn(
        &mut self,
        pod: &Pod,
        warnings: Vec<AssignmentWarning>,
    ) {
        if warnings.is_empty() && !self.uids.contains_key(&name_of(pod)) {
            return;
        }
        let key = self.key_of(pod);
        let holds = |subject: &str| warnings.iter().any(|one| one.subject == subject);
        self.history.retain_repeated(&key, holds);
        for warning in warnings {
            let cause = format!("{} {}", warning.reason, warning.word);
            if self
                .history
                .publish_repeatedly(&key, &warning.subject, &cause)
                != Publish::No
            {
                self.writer.write(event(warning), pod_reference(pod));
            }
        }
    }

    /// Pods of which an Event is due again, if its cause still holds.
    pub(in crate::assigned_identity) fn due(&self) -> Vec<ObjectKey> {
        self.history.due()
    }

    /// Forgets a pod that is gone.
    pub(in crate::assigned_identity) fn forget(&mut self, pod: &ObjectKey) {
        self.history.forget(pod);
        self.uids.remove(pod);
    }

    fn key_of(&mut self, pod: &Pod) -> ObjectKey {
        let key = name_of(pod);
        let before = self.uids.insert(key.clone(), pod.uid.clone());
        if before.is_some_and(|before| before != pod.uid) {
            self.history.forget(&key);
        }
        key
    }
}

fn name_of(pod: &Pod) -> ObjectKey {
    ObjectKey::new(&pod.namespace, &pod.name)
}

fn assigned(subject: &str) -> Event {
    Event {
        type_: EventType::Normal,
        reason: "IdentityAssigned".to_owned(),
        note: Some(format!(
            "AzureIdentity {subject} is assigned: its identity is on the VM or scale set under the pod"
        )),
        action: "Assign".to_owned(),
        secondary: None,
    }
}

fn event(warning: AssignmentWarning) -> Event {
    Event {
        type_: EventType::Warning,
        reason: warning.reason,
        note: Some(warning.note),
        // The API server folds events that differ in their note only.
        action: format!("Assign:{}", warning.word),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use podid_index::events::{EventQueue, NOTE_MAX};
    use tokio::time::Instant;

    use super::*;

    fn pod_events() -> (AssignmentEvents, EventQueue) {
        let (writer, queue) = events::channel(32);
        (AssignmentEvents::writing_to(writer), queue)
    }

    fn pod() -> Pod {
        Pod {
            namespace: "apps".into(),
            name: "web".into(),
            uid: "u".into(),
            selector: Some("web".into()),
            service_account: "default".into(),
            breaches: [].into(),
            unserved: None,
        }
    }

    fn refused(subject: &str, word: &str) -> AssignmentWarning {
        AssignmentWarning {
            subject: subject.into(),
            reason: "IdentityNotAssigned".into(),
            word: word.into(),
            note: "mend it".into(),
        }
    }

    fn said(events: &mut EventQueue) -> Vec<String> {
        std::iter::from_fn(|| events.try_next())
            .map(|(event, _)| event.action)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_thing_is_said_once_and_again_when_it_changes() {
        let (mut pod_events, mut events) = pod_events();
        for word in ["A", "A", "B"] {
            pod_events.warn(&pod(), vec![refused("apps/id", word)]);
        }
        for _ in 0..2 {
            pod_events.warn(&pod(), Vec::new());
            pod_events.assigned(&pod(), "apps/id");
        }
        pod_events.forget(&ObjectKey::new("apps", "web"));
        pod_events.assigned(&pod(), "apps/id");
        let expected = ["Assign:A", "Assign:B", "Assign", "Assign"];
        assert_eq!(said(&mut events), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_again_before_it_is_forgotten_and_what_is_mended_is_not() {
        let (mut pod_events, mut events) = pod_events();
        let both = || vec![refused("apps/id", "A"), refused("apps/other", "B")];
        pod_events.warn(&pod(), both());
        assert_eq!(pod_events.due(), []);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let began = Instant::now();
            while pod_events.due().is_empty() {
                tokio::time::advance(Duration::from_secs(60)).await;
            }
            waits.push(began.elapsed().as_secs());
            pod_events.warn(&pod(), both());
        }
        assert_eq!(waits, [600, 1200, 1800, 1800]);
        assert_eq!(said(&mut events).len(), 10);
        pod_events.warn(&pod(), vec![refused("apps/id", "A")]);
        tokio::time::advance(REPETITION.longest).await;
        pod_events.warn(&pod(), vec![refused("apps/id", "A")]);
        assert_eq!(said(&mut events), ["Assign:A"], "the other is mended");
        pod_events.warn(&pod(), Vec::new());
        tokio::time::advance(REPETITION.longest).await;
        assert_eq!(pod_events.due(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_about_which_there_is_nothing_to_say_is_not_kept() {
        let (mut pod_events, _events) = pod_events();
        pod_events.warn(&pod(), Vec::new());
        assert!(pod_events.history.is_empty() && pod_events.uids.is_empty());
    }

    #[tokio::test]
    async fn only_the_reason_why_is_cut() {
        let remedy = "grant the right";
        let long = AssignmentWarning {
            note: format!(
                "AzureIdentity apps/id is not assigned: {remedy}. {}",
                "Azure's text ".repeat(200)
            ),
            ..refused("apps/id", "A")
        };
        let (mut pod_events, mut events) = pod_events();
        pod_events.warn(&pod(), vec![long]);
        let (event, _) = events.try_next().expect("an Event");
        let note = event.note.expect("a note");
        assert!(
            note.starts_with("AzureIdentity apps/id is not assigned: grant the right. Azure's"),
            "{note}"
        );
        assert!(note.len() <= NOTE_MAX && note.ends_with('…'), "{note}");
    }
}
