//! Events on pods, for the people who run them.

use std::convert::Infallible;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use podid_core::binding::Pod;
use podid_runtime::process;
use tokio::sync::mpsc;

/// How many reports may wait while the API server is slow; more are dropped, the log has them.
const QUEUE: usize = 64;

/// A warning about a pod.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The pod.
    pub(crate) pod: Pod,
    /// A word for `kubectl describe`.
    pub(crate) reason: &'static str,
    /// What happened and what to do.
    pub(crate) note: String,
}

/// Where reports are handed in. Never waits.
#[derive(Clone, Debug)]
pub(crate) struct Reports(mpsc::Sender<Report>);

/// The other end of [`Reports`].
#[derive(Debug)]
pub(crate) struct Publisher(mpsc::Receiver<Report>);

/// A pair of ends.
pub(crate) fn channel() -> (Reports, Publisher) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Reports(sender), Publisher(receiver))
}

impl Reports {
    /// Hands a report in, and logs it.
    pub(crate) fn warn(&self, report: Report) {
        tracing::warn!(
            namespace = report.pod.namespace,
            pod = report.pod.name,
            reason = report.reason,
            "{}",
            report.note
        );
        if self.0.try_send(report).is_err() {
            tracing::debug!("too many reports at once; this one is in the log only");
        }
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
                action: "Attest".to_owned(),
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
