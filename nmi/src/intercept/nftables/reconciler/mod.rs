//! Keeps the kernel's rules as planned, whoever changes them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use podid_core::attest::PodEndpoint;
use podid_netfilter::{BridgeMonitor, Listeners, Monitor, Rules, RulesError, RulesPlan};
use podid_runtime::{Readiness, ReadinessCheck, process};
use tokio::sync::watch;

use super::endpoint::{endpoint_of, source_of};
use crate::intercept::{AllowedEndpoints, InstalledEndpoints};
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

/// Owns the rules of the node, until another daemon is started there.
#[derive(Debug)]
pub(super) struct Reconciler<R> {
    rules: R,
    plan: RulesPlan,
    allowed: watch::Receiver<BTreeSet<PodEndpoint>>,
    installed: watch::Sender<BTreeSet<PodEndpoint>>,
    readiness: Readiness,
    /// Keeps the daemon from being ready while the rules are not as planned.
    not_ready: Option<ReadinessCheck>,
    metrics: NodeMetrics,
    /// Whether a daemon that was started later owns the rules.
    is_superseded: bool,
}

impl<R: Rules> Reconciler<R> {
    /// Installs the rules, or takes over those that another daemon has left or still maintains. Its
    /// endpoints stay allowed at first, so that no other process can take one of their addresses meanwhile.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn take_over(
        rules: R,
        listeners: Listeners,
        readiness: Readiness,
        metrics: NodeMetrics,
    ) -> Result<(Self, AllowedEndpoints, InstalledEndpoints), RulesError> {
        let (plan, applied) = rules.take_over(listeners).await?;
        let (changes, generation) = (applied.changes, plan.generation);
        match plan.is_first() {
            true => tracing::info!(changes, generation, "rules installed"),
            false => tracing::info!(
                changes,
                generation,
                pod_endpoints = plan.sources.len(),
                "rules of an earlier daemon taken over"
            ),
        }
        let inherited = plan.sources.iter().map(endpoint_of).collect();
        let (allowed, allowed_receiver) = watch::channel(inherited);
        let installed = applied.installed.iter().map(endpoint_of).collect();
        let (installed, installed_receiver) = watch::channel(installed);
        let reconciler = Self {
            rules,
            plan,
            allowed: allowed_receiver,
            installed,
            readiness,
            not_ready: None,
            metrics,
            is_superseded: false,
        };
        Ok((reconciler, allowed, installed_receiver))
    }

    /// Applies every change of the allowed endpoints, and repairs what others change, until the
    /// allowed endpoints have no sender any more.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(super) async fn run(mut self, events: impl KernelEvents) -> Result<(), Infallible> {
        while !self.is_superseded {
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
        // The rules are another daemon's now. Pods that this one serves stay served by what was
        // installed last, until this process is ended.
        while self.allowed.changed().await.is_ok() {}
        Ok(())
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
                self.not_ready = None;
                for (caller, error) in &applied.failed {
                    tracing::warn!(
                        ?caller,
                        error = process::chain(error),
                        "a pod is not served"
                    );
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
        self.is_superseded = matches!(error, RulesError::Superseded { .. });
        if self.is_superseded {
            tracing::warn!(error = process::chain(error), "leaving the rules alone");
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

#[cfg(test)]
mod tests;
