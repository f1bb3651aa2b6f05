//! Keeps the kernel's rules as planned, whoever changes them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use podid_netfilter::{Caller, Listeners, Monitor, Plan, Rules, RulesError};
use podid_runtime::{Debt, Readiness, process};
use tokio::sync::watch;

use crate::metrics::Metrics;

/// How often the rules are looked at although nobody has announced a change: announcements can be
/// lost when the kernel's queue overflows.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// Pause after a refusal of the kernel; every pod waits for it, so it is short.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The callers that the kernel holds.
pub(crate) type Held = watch::Receiver<BTreeSet<Caller>>;

/// Owns the rules of the node.
#[derive(Debug)]
pub(crate) struct Guardian<R> {
    rules: R,
    plan: Plan,
    wanted: watch::Receiver<BTreeSet<Caller>>,
    held: watch::Sender<BTreeSet<Caller>>,
    readiness: Readiness,
    debt: Option<Debt>,
    metrics: Metrics,
}

impl<R: Rules> Guardian<R> {
    /// Installs the rules with nobody proved. From here on no pod reaches the node's own metadata
    /// service.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) async fn install(
        rules: R,
        listeners: Listeners,
        wanted: watch::Receiver<BTreeSet<Caller>>,
        readiness: Readiness,
        metrics: Metrics,
    ) -> Result<(Self, Held), RulesError> {
        let plan = Plan::new(listeners);
        let changes = rules.converge(&plan).await?;
        tracing::info!(changes, "rules installed");
        let (held, receiver) = watch::channel(BTreeSet::new());
        Ok((
            Self {
                rules,
                plan,
                wanted,
                held,
                readiness,
                debt: None,
                metrics,
            },
            receiver,
        ))
    }

    /// Follows what is wanted and mends what others break. Never returns by itself.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(mut self, monitor: Monitor) -> Result<(), Infallible> {
        loop {
            tokio::select! {
                changed = self.wanted.changed() => match changed {
                    Ok(()) => self.follow().await,
                    Err(_keeper_ended) => return Ok(()),
                },
                () = monitor.disturbed() => self.mend("somebody changed podid's rules").await,
                () = tokio::time::sleep(LOOK_INTERVAL) => self.mend("podid's rules had changed").await,
                () = tokio::time::sleep(RETRY_PAUSE), if self.debt.is_some() => self.follow().await,
            }
        }
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
            Ok(changes) => {
                self.debt = None;
                self.held.send_replace(self.plan.callers.clone());
                Some(changes)
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    fn fail(&mut self, error: &dyn Error) {
        tracing::error!(
            error = process::chain(error),
            "the rules are not as planned; trying again"
        );
        if self.debt.is_none() {
            self.debt = Some(self.readiness.owe("rules in place"));
        }
    }
}
