//! Events on pods, for the people who run them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use podid_core::binding::Pod;
use podid_runtime::process;
use podid_runtime::text::cut;
use tokio::sync::mpsc;

/// How many reports may wait while the API server is slow; more are dropped, the log has them.
const QUEUE: usize = 64;
/// For how long the same is not said again of a pod: an Event says what stands in the way, and not
/// how often somebody ran into it. It is said again then, because the API server forgets Events after
/// an hour.
const SILENCE: Duration = Duration::from_secs(10 * 60);
/// How many sayings are remembered; with more, the oldest may be repeated.
const REMEMBERED: usize = 1024;
/// Longest note that the API server takes, in bytes.
const NOTE_MAX: usize = 1024;

/// A warning about a pod.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The pod.
    pub(crate) pod: Pod,
    /// A word for `kubectl describe`.
    pub(crate) reason: &'static str,
    /// What was being done, in a word.
    pub(crate) action: &'static str,
    /// What happened and what to do.
    pub(crate) note: String,
}

/// Where reports are handed in. Never waits. Clones share what was said.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    queue: mpsc::Sender<Report>,
    said: Arc<Mutex<Said>>,
}

/// What was said lately: pod, reason and note, and when.
#[derive(Debug, Default)]
struct Said(HashMap<(String, &'static str, String), Instant>);

/// The other end of [`Reports`].
#[derive(Debug)]
pub(crate) struct Publisher(mpsc::Receiver<Report>);

/// A pair of ends.
pub(crate) fn channel() -> (Reports, Publisher) {
    let (queue, receiver) = mpsc::channel(QUEUE);
    let said = Arc::default();
    (Reports { queue, said }, Publisher(receiver))
}

impl Reports {
    /// Hands a report in, and logs it, unless the same was said lately.
    pub(crate) fn warn(&self, mut report: Report) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let news = said.take(&report, Instant::now());
        drop(said);
        if !news {
            return;
        }
        tracing::warn!(
            namespace = report.pod.namespace,
            pod = report.pod.name,
            reason = report.reason,
            "{}",
            report.note
        );
        report.note = cut(&report.note, NOTE_MAX);
        if self.queue.try_send(report).is_err() {
            tracing::debug!("too many reports at once; this one is in the log only");
        }
    }
}

impl Said {
    /// Remembers a report; whether it is news.
    fn take(&mut self, report: &Report, now: Instant) -> bool {
        let lately = |at: &Instant| now.saturating_duration_since(*at) < SILENCE;
        let key = (report.pod.uid.clone(), report.reason, report.note.clone());
        if self.0.get(&key).is_some_and(lately) {
            return false;
        }
        self.0.retain(|_, at| lately(at));
        if self.0.len() >= REMEMBERED {
            let oldest = self.0.iter().min_by_key(|(_, at)| **at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(key, now);
        true
    }
}

impl Publisher {
    /// Publishes what is handed in, until nobody can hand in any more.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(mut self, client: Client, node: String) -> Result<(), Infallible> {
        let reporter = Reporter {
            controller: "podid-nmi".to_owned(),
            instance: Some(node),
        };
        let recorder = Recorder::new(client, reporter);
        while let Some(report) = self.0.recv().await {
            let event = Event {
                type_: EventType::Warning,
                reason: report.reason.to_owned(),
                note: Some(report.note),
                action: report.action.to_owned(),
                secondary: None,
            };
            if let Err(error) = recorder.publish(&event, &reference(report.pod)).await {
                tracing::warn!(
                    error = process::chain(&error),
                    "an Event could not be written"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Publisher {
    /// Reason and note of the next report that waits.
    pub(crate) fn next(&mut self) -> Option<(&'static str, String)> {
        let report = self.0.try_recv().ok()?;
        Some((report.reason, report.note))
    }
}

fn reference(pod: Pod) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace),
        name: Some(pod.name),
        uid: Some(pod.uid),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(uid: &str, note: &str) -> Report {
        let pod = Pod {
            namespace: "ns".into(),
            name: "app".into(),
            uid: uid.into(),
            selector: None,
            service_account: "default".into(),
            breaches: [].into(),
        };
        Report {
            pod,
            reason: "Word",
            action: "IssueToken",
            note: note.into(),
        }
    }

    #[test]
    fn the_same_is_said_once_and_again_after_a_while() {
        let (mut said, start) = (Said::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(said.take(&report("a", "x"), at(0)));
        assert!(!said.take(&report("a", "x"), at(599)));
        assert!(said.take(&report("b", "x"), at(599)), "another pod");
        assert!(said.take(&report("a", "y"), at(599)), "another cause");
        assert!(!said.take(&report("a", "x"), at(599)), "by turns");
        assert!(!said.take(&report("a", "y"), at(1198)));
        assert!(said.take(&report("a", "y"), at(1199)));
        assert!(said.take(&report("a", "x"), at(1199)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut said, start) = (Said::default(), Instant::now());
        for number in 0..(2 * REMEMBERED) {
            let moment = start + Duration::from_millis(number as u64);
            assert!(said.take(&report(&number.to_string(), "x"), moment));
        }
        assert_eq!(said.0.len(), REMEMBERED);
        let last = (2 * REMEMBERED - 1).to_string();
        assert!(!said.take(&report(&last, "x"), start + Duration::from_secs(3)));
    }

    #[tokio::test]
    async fn a_report_reaches_the_publisher_once_and_fits_an_event() {
        let (reports, mut publisher) = channel();
        let long = "ä".repeat(2000);
        for _ in 0..100 {
            reports.warn(report("a", &long));
        }
        let first = publisher.0.recv().await.unwrap();
        assert!(first.note.len() <= NOTE_MAX && first.note.ends_with("ä…"));
        assert!(publisher.0.try_recv().is_err());
    }
}
