//! The life of one pod on its node.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::FIELD_MANAGER;
use super::node::Node;
use super::sandbox::{self, Sandbox, SandboxError};
use super::status::{self, Facts};
use super::step::{EXIT_CODE, OnNode, Step, next};
use crate::events::chain;

/// How often a cgroup is asked whether its processes have ended.
const CHECK: Duration = Duration::from_millis(20);
/// The first and the longest pause after a step that failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// What the watch says about a pod.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// Its newest version.
    Here(Box<Pod>),
    /// The API server does not have it any more.
    Gone,
}

/// Why a step failed. It is told as an Event on the pod.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the API server refused to {action}")]
    Api {
        action: &'static str,
        #[source]
        source: kube::Error,
    },
    #[error("the annotation {EXIT_CODE}={0:?} is not a number from 0 to 255")]
    ExitCode(String),
}

impl StepError {
    /// The reason of the Event; the kubelet's own word where it has one.
    fn reason(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => "FailedCreatePodSandBox",
            Self::Api { .. } => "FailedStatusUpdate",
            Self::ExitCode(_) => "InvalidExitCode",
        }
    }
}

/// What follows a step that went well.
enum After {
    /// Decide again at once.
    Decide,
    /// Wait until something changes.
    Wait,
    /// Ask again in a moment.
    Check,
    /// Nothing is left to do, ever.
    Done,
}

/// Leads one pod through its life; ends when nothing of it is left here.
pub(super) async fn run(node: Arc<Node>, uid: String, mut seen: watch::Receiver<Seen>) {
    let pod = match seen.borrow_and_update().clone() {
        Seen::Here(pod) => *pod,
        Seen::Gone => return,
    };
    let mut worker = Worker {
        node,
        uid,
        pod,
        sandbox: None,
        terminated: None,
        finished: false,
        restarts: 0,
    };
    let mut pause = RETRY.0;
    loop {
        let here = match seen.borrow_and_update().clone() {
            Seen::Here(pod) => {
                worker.pod = *pod;
                true
            }
            Seen::Gone => false,
        };
        let wait = match worker.step(here).await {
            Ok(After::Done) => return,
            Ok(After::Decide) => continue,
            Ok(After::Check) => Some(CHECK),
            Ok(After::Wait) => None,
            Err(error) => {
                worker.tell(EventType::Warning, error.reason(), chain(&error)).await;
                let now = pause;
                pause = (pause * 2).min(RETRY.1);
                Some(now)
            }
        };
        if wait.is_none() {
            pause = RETRY.0;
        }
        if worker.wait(&mut seen, wait).await.is_err() {
            return;
        }
    }
}

struct Worker {
    node: Arc<Node>,
    uid: String,
    pod: Pod,
    sandbox: Option<Sandbox>,
    /// When its processes were asked to end.
    terminated: Option<Timestamp>,
    /// Its final status is written.
    finished: bool,
    restarts: i32,
}

/// The watch that feeds a worker is gone: the kubelet ends.
struct Ended;

impl Worker {
    async fn step(&mut self, here: bool) -> Result<After, StepError> {
        let on_node = OnNode {
            sandbox: self.sandbox.is_some(),
            terminated: self.terminated,
            empty: self.sandbox.as_ref().is_none_or(Sandbox::is_empty),
            finished: self.finished,
        };
        let step = next(here.then_some(&self.pod), &on_node, Timestamp::now());
        tracing::debug!(pod = self.name(), ?step, "next step");
        match step {
            Step::Create => self.create().await,
            Step::Report => self.report().await,
            Step::Finish(code) => self.finish(code).await,
            Step::Terminate => Ok(self.terminate()),
            Step::AwaitEnd => Ok(After::Check),
            Step::Remove => self.remove().await,
            Step::Delete => self.delete().await,
            Step::Forget => self.forget().await,
            Step::Rest => Ok(After::Wait),
        }
    }

    async fn create(&mut self) -> Result<After, StepError> {
        let sandbox = Sandbox::create(&self.node, &self.pod, &self.uid).await?;
        tracing::info!(pod = self.name(), address = %sandbox.address, "pod is up");
        self.sandbox = Some(sandbox);
        Ok(After::Decide)
    }

    async fn report(&self) -> Result<After, StepError> {
        if let Some(facts) = self.facts() {
            self.write(status::running(&self.pod, &facts)).await?;
        }
        match self.pod.annotations().get(EXIT_CODE) {
            Some(value) if value.parse::<u8>().is_err() => Err(StepError::ExitCode(value.clone())),
            _ => Ok(After::Wait),
        }
    }

    async fn finish(&mut self, code: u8) -> Result<After, StepError> {
        if let Some(facts) = self.facts() {
            let status = status::finished(&self.pod, &facts, code.into(), Timestamp::now());
            self.write(status).await?;
        }
        self.finished = true;
        self.remove().await
    }

    fn terminate(&mut self) -> After {
        if let Some(sandbox) = &self.sandbox {
            sandbox.terminate();
        }
        self.terminated = Some(Timestamp::now());
        After::Decide
    }

    async fn remove(&mut self) -> Result<After, StepError> {
        if let Some(facts) = self.facts().filter(|_| self.terminated.is_some()) {
            let now = Timestamp::now();
            self.write(status::finished(&self.pod, &facts, status::TERMINATED, now)).await?;
        }
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.remove(&self.node, &self.pod).await?;
            tracing::info!(pod = self.name(), "pod is down");
        }
        sandbox::release(&self.node, &self.uid);
        Ok(After::Decide)
    }

    /// Tells the API server that nothing of the pod is left here. Finalizers may still keep the
    /// object; a namesake is not touched.
    async fn delete(&mut self) -> Result<After, StepError> {
        self.clear().await?;
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid: Some(self.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let deleted = self.api().delete(&self.pod.name_any(), &params).await;
        unless_gone(deleted, "delete the pod")?;
        Ok(After::Wait)
    }

    async fn forget(&mut self) -> Result<After, StepError> {
        self.clear().await?;
        Ok(After::Done)
    }

    /// Removes what a failed attempt may have left.
    async fn clear(&mut self) -> Result<(), StepError> {
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.remove(&self.node, &self.pod).await?;
        } else {
            sandbox::clear(&self.node, &self.pod, &self.uid).await?;
        }
        sandbox::release(&self.node, &self.uid);
        Ok(())
    }

    /// Waits for news of the pod, the end of its `pause`, or `limit`.
    async fn wait(
        &mut self,
        seen: &mut watch::Receiver<Seen>,
        limit: Option<Duration>,
    ) -> Result<(), Ended> {
        let timer = async {
            match limit {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let pause = async {
            match &mut self.sandbox {
                Some(sandbox) if self.terminated.is_none() => sandbox.ended().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = seen.changed() => return changed.map_err(|_| Ended),
            () = timer => return Ok(()),
            () = pause => {}
        }
        self.sandbox_lost().await;
        Ok(())
    }

    /// Somebody ended `pause`: the kubelet makes the sandbox again, and so do we.
    async fn sandbox_lost(&mut self) {
        self.restarts = self.restarts.saturating_add(1);
        let note = "Pod sandbox changed, it will be killed and re-created.";
        self.tell(EventType::Normal, "SandboxChanged", note.to_owned()).await;
        if let Some(sandbox) = self.sandbox.take()
            && let Err(error) = sandbox.remove(&self.node, &self.pod).await
        {
            // The next attempt begins by clearing again.
            tracing::warn!(pod = self.name(), error = &error as &dyn std::error::Error, "cannot clear");
        }
    }

    async fn write(&self, status: PodStatus) -> Result<(), StepError> {
        let desired = serde_json::to_value(&status).unwrap_or_default();
        let actual = serde_json::to_value(&self.pod.status).unwrap_or_default();
        if status::covers(&actual, &desired) {
            return Ok(());
        }
        let body = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            // With the uid, a namesake made meanwhile is refused as a conflict.
            "metadata": {"name": self.pod.name_any(), "uid": self.uid},
            "status": desired,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let name = self.pod.name_any();
        let written = self.api().patch_status(&name, &params, &Patch::Apply(&body)).await;
        unless_gone(written, "write the pod's status")
    }

    async fn tell(&self, type_: EventType, reason: &str, note: String) {
        tracing::warn!(pod = self.name(), reason, note);
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.chars().take(1000).collect()),
            action: "RunPod".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.node.events.publish(&event, &self.pod.object_ref(&())).await {
            tracing::warn!(pod = self.name(), error = &error as &dyn std::error::Error, "event lost");
        }
    }

    fn facts(&self) -> Option<Facts> {
        self.sandbox.as_ref().map(|sandbox| Facts {
            uid: self.uid.clone(),
            host: self.node.layout.address.to_string(),
            address: sandbox.address.to_string(),
            started: sandbox.started,
            restarts: self.restarts,
        })
    }

    fn api(&self) -> Api<Pod> {
        let namespace = self.pod.namespace().unwrap_or_default();
        Api::namespaced(self.node.context.client.clone(), &namespace)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.pod.namespace().unwrap_or_default(), self.pod.name_any())
    }
}

/// A pod that is gone, or has given its name to another, needs no writing; the watch will tell.
fn unless_gone<T>(
    result: Result<T, kube::Error>,
    action: &'static str,
) -> Result<(), StepError> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
        Err(source) => Err(StepError::Api { action, source }),
    }
}
