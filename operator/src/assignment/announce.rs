//! Events on pods: what a person who describes a pod should read there.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use podid_core::binding::Pod;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ObjectKey;
use crate::{FIELD_MANAGER, events};

/// Events waiting to be written. Beyond that they are dropped: they are a courtesy, and whoever
/// waits for room would delay the work itself.
const MAX_WAITING: usize = 4096;
/// Events written at once.
const AT_ONCE: usize = 4;

/// First and longest wait before something that still holds is said again. The API
/// server drops Events after an hour; repeated sooner, a cause that lasts can always be seen.
const FIRST_REPEAT: Duration = Duration::from_secs(600);
const LONGEST_REPEAT: Duration = Duration::from_secs(1800);

/// Something that keeps a pod from an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Warning {
    /// What it is about: an identity, or the pod.
    pub(super) subject: String,
    /// Reason of the Event.
    pub(super) reason: String,
    /// A word that tells causes of one reason apart.
    pub(super) word: String,
    /// What to do, and why.
    pub(super) note: String,
}

/// Says each thing once, and what lasts again from time to time.
#[derive(Debug)]
pub(super) struct Announcer {
    to: mpsc::Sender<(Event, ObjectReference)>,
    said: HashMap<ObjectKey, Said>,
}

/// What was last said about one pod.
#[derive(Debug, Default)]
struct Said {
    uid: String,
    by_subject: HashMap<String, Word>,
}

#[derive(Debug)]
enum Word {
    Assigned,
    Against {
        cause: (String, String),
        times: u32,
        /// When to say it again.
        again: Instant,
    },
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

    /// Says that an identity is on the pod's machine, unless that was said last.
    pub(super) fn assigned(&mut self, pod: &Pod, subject: &str) {
        let said = self.of_pod(pod);
        let before = said.by_subject.insert(subject.to_owned(), Word::Assigned);
        if !matches!(before, Some(Word::Assigned)) {
            self.send(pod, assigned(subject));
        }
    }

    /// Says what keeps a pod from its identities, as far as that is new or due again; what is not
    /// among `warnings` holds no longer.
    pub(super) fn warn(&mut self, pod: &Pod, warnings: Vec<Warning>) {
        if warnings.is_empty() && !self.said.contains_key(&key_of(pod)) {
            return;
        }
        let now = Instant::now();
        let said = self.of_pod(pod);
        said.by_subject.retain(|subject, word| {
            let holds = warnings.iter().any(|warning| warning.subject == *subject);
            holds || matches!(word, Word::Assigned)
        });
        let mut due = Vec::new();
        for warning in warnings {
            let cause = (warning.reason.clone(), warning.word.clone());
            let times = match said.by_subject.get(&warning.subject) {
                Some(Word::Against {
                    cause: old,
                    again,
                    times,
                }) if *old == cause => {
                    if *again > now {
                        continue;
                    }
                    *times
                }
                _ => 0,
            };
            let word = Word::Against {
                cause,
                times: times.saturating_add(1),
                again: now + repeat_after(times),
            };
            said.by_subject.insert(warning.subject.clone(), word);
            due.push(warning);
        }
        due.into_iter().for_each(|due| self.send(pod, event(due)));
    }

    /// Pods about which something is due to be said again, if it still holds.
    pub(super) fn due(&self) -> Vec<ObjectKey> {
        let now = Instant::now();
        let is_due = |word: &Word| matches!(word, Word::Against { again, .. } if *again <= now);
        let pods = self.said.iter();
        let due = pods.filter(|(_, said)| said.by_subject.values().any(is_due));
        due.map(|(pod, _)| pod.clone()).collect()
    }

    /// Forgets a pod that is gone.
    pub(super) fn forget(&mut self, pod: &ObjectKey) {
        self.said.remove(pod);
    }

    fn of_pod(&mut self, pod: &Pod) -> &mut Said {
        let said = self.said.entry(key_of(pod)).or_default();
        if said.uid != pod.uid {
            *said = Said {
                uid: pod.uid.clone(),
                ..Said::default()
            };
        }
        said
    }

    fn send(&self, pod: &Pod, event: Event) {
        if self.to.try_send((event, reference(pod))).is_err() {
            tracing::debug!(pod = pod.name, "too many events at once; one dropped");
        }
    }
}

fn key_of(pod: &Pod) -> ObjectKey {
    ObjectKey::new(&pod.namespace, &pod.name)
}

fn repeat_after(times: u32) -> Duration {
    let doubled = FIRST_REPEAT.saturating_mul(2_u32.saturating_pow(times));
    doubled.min(LONGEST_REPEAT)
}

fn assigned(subject: &str) -> Event {
    Event {
        type_: EventType::Normal,
        reason: "IdentityAssigned".to_owned(),
        note: Some(format!("Identity {subject} is on the pod's machine")),
        action: "Assign".to_owned(),
        secondary: None,
    }
}

fn event(warning: Warning) -> Event {
    let (subject, note) = (&warning.subject, &warning.note);
    Event {
        type_: EventType::Warning,
        reason: warning.reason,
        // What to do comes first, so that only the reason why is ever cut.
        note: Some(events::shortened(format!("{subject}: {note}"))),
        // The API server folds events that differ in their note only.
        action: format!("Assign:{}", warning.word),
        secondary: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn announcer() -> (Announcer, mpsc::Receiver<(Event, ObjectReference)>) {
        let (to, receiver) = mpsc::channel(32);
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

    fn refused(subject: &str, word: &str) -> Warning {
        Warning {
            subject: subject.into(),
            reason: "IdentityNotAssigned".into(),
            word: word.into(),
            note: "mend it".into(),
        }
    }

    fn said(events: &mut mpsc::Receiver<(Event, ObjectReference)>) -> Vec<String> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|(event, _)| event.action)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_thing_is_said_once_and_again_when_it_changes() {
        let (mut announcer, mut events) = announcer();
        for word in ["A", "A", "B"] {
            announcer.warn(&pod(), vec![refused("apps/id", word)]);
        }
        for _ in 0..2 {
            announcer.warn(&pod(), Vec::new());
            announcer.assigned(&pod(), "apps/id");
        }
        announcer.forget(&ObjectKey::new("apps", "web"));
        announcer.assigned(&pod(), "apps/id");
        let expected = ["Assign:A", "Assign:B", "Assign", "Assign"];
        assert_eq!(said(&mut events), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_again_before_it_is_forgotten_and_what_is_mended_is_not() {
        let (mut announcer, mut events) = announcer();
        let both = || vec![refused("apps/id", "A"), refused("apps/other", "B")];
        announcer.warn(&pod(), both());
        assert_eq!(announcer.due(), []);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let began = Instant::now();
            while announcer.due().is_empty() {
                tokio::time::advance(Duration::from_secs(60)).await;
            }
            waits.push(began.elapsed().as_secs());
            announcer.warn(&pod(), both());
        }
        assert_eq!(waits, [600, 1200, 1800, 1800]);
        assert_eq!(said(&mut events).len(), 10);
        announcer.warn(&pod(), vec![refused("apps/id", "A")]);
        tokio::time::advance(LONGEST_REPEAT).await;
        announcer.warn(&pod(), vec![refused("apps/id", "A")]);
        assert_eq!(said(&mut events), ["Assign:A"], "the other is mended");
        announcer.warn(&pod(), Vec::new());
        tokio::time::advance(LONGEST_REPEAT).await;
        assert_eq!(announcer.due(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_about_which_there_is_nothing_to_say_is_not_kept() {
        let (mut announcer, _events) = announcer();
        announcer.warn(&pod(), Vec::new());
        assert!(announcer.said.is_empty());
    }

    #[test]
    fn only_the_reason_why_is_cut() {
        let remedy = "grant the right";
        let long = Warning {
            note: format!("{remedy}. {}", "Azure's text ".repeat(200)),
            ..refused("apps/id", "A")
        };
        let note = event(long).note.expect("a note");
        assert!(
            note.starts_with("apps/id: grant the right. Azure's"),
            "{note}"
        );
        assert!(
            note.len() <= events::NOTE_MAX && note.ends_with('…'),
            "{note}"
        );
    }
}
