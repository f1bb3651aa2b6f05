//! One pod on its node, from the first time it is seen until nothing of it is left.

mod error;
mod flow;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use tokio::sync::watch;
use tokio::time::sleep;

use super::cleanup;
use super::container::{self, Containers};
use super::node::Node;
use super::pod_sandbox::PodSandbox;
use super::report;
use super::status::{self, Facts};
use super::step::{EXIT_CODE, OnNode, Step, next};
use crate::events::chain;

use error::WorkerError;
use flow::After;
pub(super) use flow::Seen;

/// How often a cgroup is asked whether its processes have ended.
const CHECK: Duration = Duration::from_millis(20);
/// The first and the longest pause after a step that failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// Takes step after step for one pod; ends when nothing of it is left here.
pub(super) async fn run(node: Arc<Node>, uid: String, mut seen: watch::Receiver<Seen>) {
    let pod = match seen.borrow_and_update().clone() {
        Seen::Here(pod) => *pod,
        Seen::Gone => return,
    };
    let mut worker = Worker::new(node, uid, pod);
    let mut pause = RETRY.0;
    loop {
        let here = match seen.borrow_and_update().clone() {
            Seen::Here(pod) => {
                worker.pod = *pod;
                true
            }
            Seen::Gone => false,
        };
        let limit = match worker.step(here).await {
            Ok(After::Done) => return,
            Ok(After::Decide) => continue,
            Ok(After::Check) => Some(CHECK),
            Ok(After::Wait) => {
                pause = RETRY.0;
                None
            }
            Err(error) => {
                worker.report_failure(&error).await;
                let longer = (pause * 2).min(RETRY.1);
                Some(std::mem::replace(&mut pause, longer))
            }
        };
        if worker.wait(&mut seen, limit).await.is_err() {
            return;
        }
    }
}

struct Worker {
    node: Arc<Node>,
    uid: String,
    pod: Pod,
    sandbox: Option<PodSandbox>,
    containers: Containers,
    /// When its processes were asked to end.
    terminated: Option<Timestamp>,
    /// Its final status is written.
    finished: bool,
    restarts: i32,
}

/// The watch that feeds a worker is gone: the kubelet ends.
struct Ended;

impl Worker {
    fn new(node: Arc<Node>, uid: String, pod: Pod) -> Self {
        Self {
            node,
            uid,
            pod,
            sandbox: None,
            containers: Containers::none(),
            terminated: None,
            finished: false,
            restarts: 0,
        }
    }

    async fn step(&mut self, here: bool) -> Result<After, WorkerError> {
        let on_node = OnNode {
            sandbox: self.sandbox.is_some(),
            terminated: self.terminated,
            empty: self.sandbox.as_ref().is_none_or(PodSandbox::is_empty),
            ended: self.containers.exit_code(),
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

    async fn create(&mut self) -> Result<After, WorkerError> {
        let sandbox = PodSandbox::create(&self.node, &self.pod, &self.uid)
            .await
            .map_err(WorkerError::Create)?;
        tracing::info!(pod = self.name(), address = %sandbox.address, "pod is up");
        match container::start(&self.node, &self.pod, &sandbox, &self.uid).await {
            Ok(containers) => self.containers = containers,
            Err(error) => {
                let removed = sandbox.remove(&self.node, &self.pod).await;
                removed.map_err(WorkerError::Remove)?;
                return Err(WorkerError::Start(error));
            }
        }
        self.sandbox = Some(sandbox);
        Ok(After::Decide)
    }

    async fn report(&mut self) -> Result<After, WorkerError> {
        if let Some(facts) = self.facts() {
            self.write(&status::running(&self.pod, &facts)).await?;
        }
        match self.pod.annotations().get(EXIT_CODE) {
            Some(value) if value.parse::<u8>().is_err() => {
                Err(WorkerError::ExitCode(value.clone()))
            }
            _ => Ok(After::Wait),
        }
    }

    async fn finish(&mut self, code: u8) -> Result<After, WorkerError> {
        if let Some(facts) = self.facts() {
            let status = status::finished(&self.pod, &facts, code.into(), Timestamp::now());
            self.write(&status).await?;
        }
        self.finished = true;
        self.remove().await
    }

    fn terminate(&mut self) -> After {
        self.containers.stop_restarts();
        if let Some(sandbox) = &self.sandbox {
            sandbox.terminate();
        }
        self.terminated = Some(Timestamp::now());
        After::Decide
    }

    async fn remove(&mut self) -> Result<After, WorkerError> {
        if let Some(facts) = self.facts().filter(|_| self.terminated.is_some()) {
            let now = Timestamp::now();
            self.write(&status::finished(
                &self.pod,
                &facts,
                status::TERMINATED,
                now,
            ))
            .await?;
        }
        self.containers = Containers::none();
        if let Some(sandbox) = self.sandbox.take() {
            let removed = sandbox.remove(&self.node, &self.pod).await;
            removed.map_err(WorkerError::Remove)?;
            tracing::info!(pod = self.name(), "pod is down");
        }
        cleanup::release(&self.node, &self.uid);
        Ok(After::Decide)
    }

    async fn delete(&mut self) -> Result<After, WorkerError> {
        self.clear().await?;
        let deleted = report::delete(&self.node, &self.pod, &self.uid).await;
        deleted.map_err(WorkerError::api("delete the pod"))?;
        Ok(After::Wait)
    }

    async fn forget(&mut self) -> Result<After, WorkerError> {
        self.clear().await?;
        Ok(After::Done)
    }

    /// Removes what a failed attempt may have left.
    async fn clear(&mut self) -> Result<(), WorkerError> {
        match self.sandbox.take() {
            Some(sandbox) => sandbox.remove(&self.node, &self.pod).await,
            None => cleanup::clear(&self.node, &self.pod, &self.uid).await,
        }
        .map_err(WorkerError::Remove)?;
        cleanup::release(&self.node, &self.uid);
        Ok(())
    }

    /// Waits for a change of the pod, the end of its `pause`, or `limit`.
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
            () = self.containers.changed() => return Ok(()),
            () = timer => return Ok(()),
            () = pause => {}
        }
        self.sandbox_lost().await;
        Ok(())
    }

    /// `pause` was ended from outside: as a kubelet does, makes the sandbox anew.
    async fn sandbox_lost(&mut self) {
        self.restarts = self.restarts.saturating_add(1);
        self.containers = Containers::none();
        let note = "Pod sandbox changed, it will be killed and re-created.";
        self.publish(EventType::Normal, "SandboxChanged", note.to_owned())
            .await;
        if let Some(sandbox) = self.sandbox.take()
            && let Err(error) = sandbox.remove(&self.node, &self.pod).await
        {
            // The next attempt removes the rest first.
            tracing::warn!(
                pod = self.name(),
                error = &error as &dyn std::error::Error,
                "cannot clear"
            );
        }
    }

    async fn write(&self, status: &PodStatus) -> Result<(), WorkerError> {
        let written = report::write_status(&self.node, &self.pod, &self.uid, status).await;
        written.map_err(WorkerError::api("write the pod's status"))
    }

    async fn report_failure(&self, error: &WorkerError) {
        self.publish(EventType::Warning, error.reason(), chain(error))
            .await;
    }

    async fn publish(&self, kind: EventType, reason: &str, note: String) {
        report::publish(&self.node, &self.pod, kind, reason, note).await;
    }

    fn facts(&mut self) -> Option<Facts> {
        let containers = self.containers.facts();
        self.sandbox.as_ref().map(|sandbox| Facts {
            containers,
            uid: self.uid.clone(),
            host: self.node.layout.address.to_string(),
            address: sandbox.address.to_string(),
            started: sandbox.started,
            restarts: self.restarts,
        })
    }

    fn name(&self) -> String {
        format!(
            "{}/{}",
            self.pod.namespace().unwrap_or_default(),
            self.pod.name_any()
        )
    }
}
