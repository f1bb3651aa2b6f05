//! Events on pods: what a person who describes a pod should read there, said once.

use std::collections::HashMap;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use podid_core::binding::Pod;
use tokio::sync::mpsc;

use super::ObjectKey;
use crate::FIELD_MANAGER;

/// Longest note that the API server takes, in bytes.
const MAX_NOTE: usize = 1024;
/// Events waiting to be written. Beyond that they are dropped: they are a courtesy, and whoever
/// waits for room would delay the work itself.
const MAX_WAITING: usize = 4096;
/// Events written at once.
const AT_ONCE: usize = 4;

/// What there is to say about a pod and one of its identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The identity is on the pod's machine.
    Assigned,
    /// It is not, and why: a word that tells causes apart, and a sentence.
    NotAssigned { reason: String, note: String },
}

/// Says each thing once.
#[derive(Debug)]
pub(super) struct Announcer {
    to: mpsc::Sender<(Event, ObjectReference)>,
    said: HashMap<ObjectKey, Said>,
}

/// What was last said about one pod.
#[derive(Debug, Default)]
struct Said {
    uid: String,
    /// The word that was said, by what it was about.
    words: HashMap<String, Option<String>>,
}

impl Announcer {
    /// The announcer, and the task that writes for it; it ends when the announcer is gone.
    pub(super) fn new(client: Client) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (to, receiver) = mpsc::channel(MAX_WAITING);
        let recorder = Recorder::new(client, Reporter::from(FIELD_MANAGER));
        (
            Self {
                to,
                said: HashMap::new(),
            },
            write(recorder, receiver),
        )
    }

    /// Says what is new about `subject` (the name of an identity, or of the pod's node).
    pub(super) fn say(&mut self, pod: &Pod, subject: &str, news: News) {
        let word = match &news {
            News::Assigned => None,
            News::NotAssigned { reason, .. } => Some(reason.clone()),
        };
        let said = self
            .said
            .entry(ObjectKey::new(&pod.namespace, &pod.name))
            .or_default();
        if said.uid != pod.uid {
            *said = Said {
                uid: pod.uid.clone(),
                ..Said::default()
            };
        }
        if said.words.get(subject) == Some(&word) {
            return;
        }
        said.words.insert(subject.to_owned(), word);
        let event = match news {
            News::Assigned => Event {
                type_: EventType::Normal,
                reason: "IdentityAssigned".to_owned(),
                note: Some(format!("Identity {subject} is on the pod's machine")),
                action: "Assign".to_owned(),
                secondary: None,
            },
            News::NotAssigned { note, reason } => Event {
                type_: EventType::Warning,
                reason: "IdentityNotAssigned".to_owned(),
                note: Some(shortened(&format!("{subject}: {note}"), MAX_NOTE)),
                // The API server folds events that differ in their note only.
                action: format!("Assign:{reason}"),
                secondary: None,
            },
        };
        if self.to.try_send((event, reference(pod))).is_err() {
            tracing::debug!(pod = pod.name, "too many events at once; one dropped");
        }
    }

    /// Forgets a pod that is gone.
    pub(super) fn forget(&mut self, pod: &ObjectKey) {
        self.said.remove(pod);
    }
}

async fn write(recorder: Recorder, receiver: mpsc::Receiver<(Event, ObjectReference)>) {
    let events = futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|event| (event, receiver))
    });
    events
        .for_each_concurrent(AT_ONCE, |(event, pod)| {
            let recorder = &recorder;
            async move {
                if let Err(error) = recorder.publish(&event, &pod).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(pod = pod.name, error, "event not written");
                }
            }
        })
        .await;
}

fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(pod.name.clone()),
        namespace: Some(pod.namespace.clone()),
        uid: Some(pod.uid.clone()),
        ..ObjectReference::default()
    }
}

/// At most `max` bytes of a text, cut between characters.
fn shortened(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcer() -> (Announcer, mpsc::Receiver<(Event, ObjectReference)>) {
        let (to, receiver) = mpsc::channel(8);
        (
            Announcer {
                to,
                said: HashMap::new(),
            },
            receiver,
        )
    }

    fn pod() -> Pod {
        Pod {
            namespace: "apps".into(),
            name: "web".into(),
            uid: "u".into(),
            selector: Some("web".into()),
            service_account: "default".into(),
            breaches: [].into(),
        }
    }

    fn refused(reason: &str) -> News {
        News::NotAssigned {
            reason: reason.into(),
            note: "no".into(),
        }
    }

    #[test]
    fn each_thing_is_said_once_and_again_when_it_changes() {
        let (mut announcer, mut events) = announcer();
        for news in [
            refused("A"),
            refused("A"),
            refused("B"),
            News::Assigned,
            News::Assigned,
        ] {
            announcer.say(&pod(), "apps/id", news);
        }
        announcer.forget(&ObjectKey::new("apps", "web"));
        announcer.say(&pod(), "apps/id", News::Assigned);
        let said: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
            .map(|(event, _)| event.action)
            .collect();
        assert_eq!(said, ["Assign:A", "Assign:B", "Assign", "Assign"]);
    }

    #[test]
    fn notes_are_cut_between_characters() {
        assert_eq!(shortened("aé", 2), "a");
        assert_eq!(shortened("aé", 3), "aé");
    }
}
