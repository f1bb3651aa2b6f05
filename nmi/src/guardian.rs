//! Keeps the kernel's rules as planned, whoever changes them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use podid_netfilter::{BridgeMonitor, Caller, Listeners, Monitor, Plan, Rules, RulesError};
use podid_runtime::{Readiness, ReadinessCheck, process};
use tokio::sync::watch;

use crate::metrics::Metrics;

/// How often the rules are looked at although nobody has announced a change: announcements can be
/// lost when the kernel's queue overflows.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// Pause after a refusal of the kernel; every pod waits for it, so it is short.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The callers that the kernel holds.
pub(crate) type Held = watch::Receiver<BTreeSet<Caller>>;

/// The callers that the kernel should hold.
pub(crate) type Wanted = watch::Sender<BTreeSet<Caller>>;

/// Owns the rules of the node, until another daemon is started there.
#[derive(Debug)]
pub(crate) struct Guardian<R> {
    rules: R,
    plan: Plan,
    wanted: watch::Receiver<BTreeSet<Caller>>,
    held: watch::Sender<BTreeSet<Caller>>,
    readiness: Readiness,
    check: Option<ReadinessCheck>,
    metrics: Metrics,
    succeeded: bool,
}

impl<R: Rules> Guardian<R> {
    /// Installs the rules, or takes over those that another daemon left or still keeps: with all its
    /// callers, so that nobody can speak as one of them meanwhile. They are what is wanted at first.
    /// From here on no pod reaches the node's own metadata service.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) async fn take_over(
        rules: R,
        listeners: Listeners,
        readiness: Readiness,
        metrics: Metrics,
    ) -> Result<(Self, Wanted, Held), RulesError> {
        let (plan, outcome) = rules.take_over(listeners).await?;
        tracing::info!(
            changes = outcome.changes,
            generation = plan.generation,
            callers = plan.callers.len(),
            "rules taken over"
        );
        let (wanted, wanted_receiver) = watch::channel(plan.callers.clone());
        let (held, held_receiver) = watch::channel(outcome.held);
        let guardian = Self {
            rules,
            plan,
            wanted: wanted_receiver,
            held,
            readiness,
            check: None,
            metrics,
            succeeded: false,
        };
        Ok((guardian, wanted, held_receiver))
    }

    /// Follows what is wanted and mends what others break. Never returns by itself.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(
        mut self,
        monitor: Monitor,
        bridges: BridgeMonitor,
    ) -> Result<(), Infallible> {
        while !self.succeeded {
            tokio::select! {
                changed = self.wanted.changed() => match changed {
                    Ok(()) => self.follow().await,
                    Err(_keeper_ended) => return Ok(()),
                },
                () = bridges.changed() => self.follow().await,
                () = monitor.disturbed() => self.mend("somebody changed podid's rules").await,
                () = tokio::time::sleep(LOOK_INTERVAL) => self.mend("podid's rules had changed").await,
                () = tokio::time::sleep(RETRY_PAUSE), if self.check.is_some() => self.follow().await,
            }
        }
        // What this daemon serves, it serves by what the kernel held last. It ends when it is told.
        while self.wanted.changed().await.is_ok() {}
        Ok(())
    }

    async fn follow(&mut self) {
        self.plan.callers = self.wanted.borrow_and_update().clone();
        self.converge().await;
    }

    async fn mend(&mut self, what: &'static str) {
        if let Some(changes @ 1..) = self.converge().await {
            self.metrics.rules_mended.inc();
            tracing::warn!(changes, "{what}; mended");
        }
    }

    /// The number of changes it took; `None` when the kernel refused.
    async fn converge(&mut self) -> Option<usize> {
        match self.rules.converge(&self.plan).await {
            Ok(outcome) => {
                self.check = None;
                for (caller, error) in &outcome.failed {
                    tracing::warn!(
                        ?caller,
                        error = process::chain(error),
                        "a pod is not served"
                    );
                }
                self.held.send_replace(outcome.held);
                Some(outcome.changes)
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    fn fail(&mut self, error: &RulesError) {
        self.succeeded = matches!(error, RulesError::Succeeded { .. });
        if self.succeeded {
            tracing::warn!(error = process::chain(error), "leaving the rules alone");
            self.check = Some(self.readiness.register("sole daemon of the node"));
            return;
        }
        tracing::error!(
            error = process::chain(error),
            "the rules are not as planned; trying again"
        );
        if self.check.is_none() {
            self.check = Some(self.readiness.register("rules in place"));
        }
    }
}
