use std::convert::Infallible;
use std::error::Error;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use podid_core::binding::Pod;
use tokio::sync::mpsc;

use super::note::shortened;

/// Events written at once.
const AT_ONCE: usize = 4;

/// Where Events are handed in. Clones share one queue.
#[derive(Clone, Debug)]
pub struct EventWriter(mpsc::Sender<(Event, ObjectReference)>);

/// The other end of an [`EventWriter`], to be run as a task.
#[derive(Debug)]
pub struct EventQueue(mpsc::Receiver<(Event, ObjectReference)>);

/// Both ends of a queue for so many Events.
#[must_use]
pub fn channel(capacity: usize) -> (EventWriter, EventQueue) {
    let (sender, receiver) = mpsc::channel(capacity);
    (EventWriter(sender), EventQueue(receiver))
}

impl EventWriter {
    /// Hands in an Event about an object, with its note [`shortened`]. Beyond the capacity of the queue
    /// it is dropped: an Event only informs, and a caller that waited for the queue would delay its own work.
    pub fn write(&self, mut event: Event, object: ObjectReference) {
        event.note = event.note.as_deref().map(shortened);
        let name = object.name.clone();
        if self.0.try_send((event, object)).is_err() {
            tracing::debug!(object = name, "too many Events at once; one dropped");
        }
    }
}

impl EventQueue {
    /// Writes the Events of the queue in the name of `reporter`, until no writer is left.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub async fn run(self, client: Client, reporter: Reporter) -> Result<(), Infallible> {
        let events = futures::stream::unfold(self.0, |mut receiver| async {
            receiver.recv().await.map(|event| (event, receiver))
        });
        events
            .for_each_concurrent(AT_ONCE, |(event, object)| {
                // A recorder adds to the count of an Event that it wrote less than six minutes ago with the
                // same reason, and leaves the note as it was. One that has written none writes every note.
                let recorder = Recorder::new(client.clone(), reporter.clone());
                async move {
                    if let Err(error) = recorder.publish(&event, &object).await {
                        let error = &error as &dyn Error;
                        let (name, reason) = (object.name, event.reason);
                        tracing::warn!(
                            object = name,
                            reason,
                            error,
                            "an Event could not be written"
                        );
                    }
                }
            })
            .await;
        Ok(())
    }

    /// The next Event of the queue; for tests, which read Events instead of writing them.
    pub fn try_next(&mut self) -> Option<(Event, ObjectReference)> {
        self.0.try_recv().ok()
    }
}

/// What an Event about a pod refers to.
#[must_use]
pub fn pod_reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace.clone()),
        name: Some(pod.name.clone()),
        uid: Some(pod.uid.clone()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::BodyExt;
    use hyper::{Request, Response};
    use kube::client::Body;
    use kube::runtime::events::EventType;
    use serde_json::Value;

    use super::*;
    use crate::events::NOTE_MAX;

    fn warning(reason: &str, note: &str) -> Event {
        Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(note.to_owned()),
            action: "A".into(),
            secondary: None,
        }
    }

    #[test]
    fn a_full_queue_drops_and_never_waits_and_notes_fit() {
        let (writer, mut queue) = channel(2);
        for number in 0..5 {
            let event = warning(&format!("R{number}"), &"ä".repeat(2000));
            writer.write(event, ObjectReference::default());
        }
        let waiting: Vec<_> = std::iter::from_fn(|| queue.try_next()).collect();
        let reasons: Vec<&str> = waiting
            .iter()
            .map(|(event, _)| event.reason.as_str())
            .collect();
        assert_eq!(reasons, ["R0", "R1"]);
        let notes = waiting.iter().filter_map(|(event, _)| event.note.as_ref());
        assert!(
            notes
                .clone()
                .all(|note| note.len() <= NOTE_MAX && note.ends_with("ä…"))
        );
        assert_eq!(notes.count(), 2);
    }
    #[tokio::test]
    async fn every_note_is_written_although_the_reason_is_that_of_the_event_before() {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let api = tower::service_fn(move |request: Request<Body>| {
            let seen = Arc::clone(&seen);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let event: Value = serde_json::from_slice(&body).unwrap();
                let note = event["note"].as_str().unwrap_or_default().to_owned();
                seen.lock().unwrap().push((head.method.to_string(), note));
                Ok::<_, kube::Error>(Response::new(Body::from(body.to_vec())))
            }
        });
        let (writer, queue) = channel(2);
        for note in ["container a", "container b"] {
            writer.write(warning("R", note), ObjectReference::default());
        }
        drop(writer);
        let reporter = Reporter::from("podid");
        queue.run(Client::new(api, "ns"), reporter).await.unwrap();
        let mut requests = requests.lock().unwrap().clone();
        requests.sort();
        let posted = |note: &str| ("POST".to_owned(), note.to_owned());
        assert_eq!(requests, [posted("container a"), posted("container b")]);
    }
}
