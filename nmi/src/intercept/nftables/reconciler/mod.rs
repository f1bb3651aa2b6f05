//! Keeps the kernel's rules as planned, whoever changes them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use podid_core::attest::PodEndpoint;
use podid_netfilter::{
    AllowedSource, BridgeMonitor, Listeners, Monitor, Rules, RulesError, RulesPlan,
};
use podid_runtime::{Readiness, ReadinessCheck, process};
use tokio::sync::watch;

use super::endpoint::{endpoint_of, source_of};
use crate::intercept::{ActiveDaemon, AllowedEndpoints, InstalledEndpoints, TakeOverRequests};
use crate::metrics::NodeMetrics;

/// How often the rules are compared with the plan although no change was announced: announcements are
/// lost when the kernel's queue overflows.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Pause after a refusal of the kernel. It is short because newly attested pods wait for the rules.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What the kernel announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KernelEvent {
    /// Another process has changed podid's rules.
    RulesChanged,
    /// An address or a MAC of the node on a bridge may have changed; the rules contain both.
    BridgesChanged,
}

/// Where the reconciler learns of the kernel's announcements.
#[async_trait]
pub(super) trait KernelEvents: Send + Sync {
    /// The next one. Dropping the future loses no later one.
    async fn next(&self) -> KernelEvent;
}

/// The announcements of the network namespace that this process runs in.
#[derive(Debug)]
pub(super) struct KernelMonitors {
    pub(super) rules: Monitor,
    pub(super) bridges: BridgeMonitor,
}

#[async_trait]
impl KernelEvents for KernelMonitors {
    async fn next(&self) -> KernelEvent {
        tokio::select! {
            () = self.bridges.changed() => KernelEvent::BridgesChanged,
            () = self.rules.disturbed() => KernelEvent::RulesChanged,
        }
    }
}

/// How the rest of the daemon controls a reconciler and learns what it has done.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) allowed: AllowedEndpoints,
    pub(super) installed: InstalledEndpoints,
    pub(super) active: watch::Receiver<ActiveDaemon>,
}

/// Owns the rules of the node, from when it takes over until another daemon does.
#[derive(Debug)]
pub(super) struct Reconciler<R> {
    rules: R,
    plan: RulesPlan,
    allowed: watch::Receiver<BTreeSet<PodEndpoint>>,
    installed: watch::Sender<BTreeSet<PodEndpoint>>,
    active: watch::Sender<ActiveDaemon>,
    readiness: Readiness,
    /// Keeps the daemon from being ready while the rules are not its own, or not as planned.
    not_ready: Option<ReadinessCheck>,
    metrics: NodeMetrics,
}

impl<R: Rules> Reconciler<R> {
    /// Owns nothing yet; `kept` are the sources that the kernel has now.
    pub(super) fn new(
        rules: R,
        listeners: Listeners,
        kept: BTreeSet<AllowedSource>,
        readiness: Readiness,
        metrics: NodeMetrics,
    ) -> (Self, Channels) {
        let (allowed, allowed_receiver) = watch::channel(kept.iter().map(endpoint_of).collect());
        let (installed, installed_receiver) = watch::channel(BTreeSet::new());
        let (active, active_receiver) = watch::channel(ActiveDaemon::Earlier);
        let plan = RulesPlan {
            listeners,
            generation: 0,
            sources: kept,
        };
        let reconciler = Self {
            rules,
            plan,
            allowed: allowed_receiver,
            installed,
            active,
            not_ready: Some(readiness.register("rules taken over")),
            readiness,
            metrics,
        };
        let channels = Channels {
            allowed,
            installed: installed_receiver,
            active: active_receiver,
        };
        (reconciler, channels)
    }

    /// Installs the rules, or takes over those that another daemon has left or still maintains. Its
    /// endpoints stay until the allowed ones change the next time, so that no other process can take one of
    /// their addresses meanwhile. Returns them.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn take_over(&mut self) -> Result<BTreeSet<PodEndpoint>, RulesError> {
        let (plan, applied) = self.rules.take_over(self.plan.listeners).await?;
        self.plan = plan;
        let (changes, generation) = (applied.changes, self.plan.generation);
        match self.plan.is_first() {
            true => tracing::info!(changes, generation, "rules installed"),
            false => tracing::info!(
                changes,
                generation,
                pod_endpoints = self.plan.sources.len(),
                "rules of an earlier daemon taken over"
            ),
        }
        self.allowed.mark_unchanged();
        let installed = applied.installed.iter().map(endpoint_of).collect();
        self.installed.send_replace(installed);
        self.active.send_replace(ActiveDaemon::This);
        self.pass();
        Ok(self.plan.sources.iter().map(endpoint_of).collect())
    }

    /// Takes over when a request asks for it, unless that is done. Then applies every change of the allowed
    /// endpoints, and repairs what others change, until the allowed endpoints have no sender any more.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(super) async fn run(
        mut self,
        requests: Option<TakeOverRequests>,
        events: impl KernelEvents,
    ) -> Result<(), Infallible> {
        if let Some(requests) = requests {
            self.take_over_when_asked(requests).await;
        }
        while self.is_active() {
            tokio::select! {
                changed = self.allowed.changed() => match changed {
                    Ok(()) => self.apply_allowed().await,
                    Err(_no_sender) => return Ok(()),
                },
                event = events.next() => match event {
                    KernelEvent::BridgesChanged => self.apply_allowed().await,
                    KernelEvent::RulesChanged => self.repair("somebody changed podid's rules").await,
                },
                () = tokio::time::sleep(CHECK_INTERVAL) => self.repair("podid's rules had changed").await,
                () = tokio::time::sleep(RETRY_PAUSE), if self.not_ready.is_some() => self.apply_allowed().await,
            }
        }
        self.follow_later_daemon(&events).await;
        Ok(())
    }

    /// The rules are another daemon's now. Requests under way here are answered by what that one installs, until
    /// this process is ended.
    async fn follow_later_daemon(&mut self, events: &impl KernelEvents) {
        loop {
            if let Ok(kept) = self.rules.installed().await {
                let installed = kept.sources.iter().map(endpoint_of).collect();
                self.installed.send_replace(installed);
            }
            let changed = async {
                tokio::select! {
                    _event = events.next() => {}
                    () = tokio::time::sleep(CHECK_INTERVAL) => {}
                }
            };
            tokio::select! {
                () = changed => {}
                () = no_sender(&mut self.allowed) => return,
            }
        }
    }

    async fn take_over_when_asked(&mut self, requests: TakeOverRequests) {
        let Ok(answer) = requests.await else {
            return;
        };
        loop {
            match self.take_over().await {
                Ok(inherited) => {
                    let _manager_ended = answer.send(inherited);
                    return;
                }
                Err(error) => {
                    let error = process::chain(&error);
                    tracing::error!(error, "the rules cannot be taken over; trying again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// The rules are as planned.
    fn pass(&mut self) {
        if let Some(check) = self.not_ready.take() {
            check.pass();
        }
    }

    fn is_active(&self) -> bool {
        *self.active.borrow() == ActiveDaemon::This
    }

    async fn apply_allowed(&mut self) {
        self.plan.sources = {
            let allowed = self.allowed.borrow_and_update();
            allowed.iter().map(source_of).collect()
        };
        self.converge().await;
    }

    async fn repair(&mut self, what: &'static str) {
        if let Some(changes @ 1..) = self.converge().await {
            self.metrics.rules_repaired.inc();
            tracing::warn!(changes, "{what}; repaired");
        }
    }

    /// The number of changes of others that had to be undone; `None` when the kernel refused.
    async fn converge(&mut self) -> Option<usize> {
        match self.rules.converge(&self.plan).await {
            Ok(applied) => {
                self.pass();
                for (caller, error) in &applied.failed {
                    log_failed(caller, error);
                }
                let installed = applied.installed.iter().map(endpoint_of).collect();
                self.installed.send_replace(installed);
                // A bridge that got another address has its rules changed by us, and nobody else's undone.
                Some(match applied.bridges_changed {
                    true => 0,
                    false => applied.changes,
                })
            }
            Err(error) => {
                self.on_error(&error);
                None
            }
        }
    }

    fn on_error(&mut self, error: &RulesError) {
        if matches!(error, RulesError::Superseded { .. }) {
            tracing::warn!(error = process::chain(error), "leaving the rules alone");
            self.active.send_replace(ActiveDaemon::Later);
            self.not_ready = Some(self.readiness.register("sole daemon of the node"));
            return;
        }
        tracing::error!(
            error = process::chain(error),
            "the rules are not as planned; trying again"
        );
        if self.not_ready.is_none() {
            self.not_ready = Some(self.readiness.register("rules in place"));
        }
    }
}

/// The end of a pod is seen here before the API server tells of it, and is nobody's concern.
fn log_failed(caller: &AllowedSource, error: &RulesError) {
    if error.is_link_gone() {
        tracing::debug!(?caller, "a pod's link has gone away");
        return;
    }
    let error = process::chain(error);
    tracing::warn!(?caller, error, "a pod is not served");
}

/// Returns when the allowed endpoints have no sender any more.
async fn no_sender(allowed: &mut watch::Receiver<BTreeSet<PodEndpoint>>) {
    while allowed.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests;
