use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};

use podid_netfilter::{AllowedSource, AppliedRules, InstalledRules};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

use super::*;

use crate::intercept::Handover;
use crate::testing::within_limit;

const LISTENER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 2579);
const LISTENERS: Listeners = Listeners {
    attested: LISTENER,
    unattested: LISTENER,
};

/// Rules that remember what was applied, and fail as prepared.
#[derive(Clone, Debug, Default)]
struct FakeRules(Arc<Mutex<FakeKernel>>);

#[derive(Debug, Default)]
struct FakeKernel {
    generation: u32,
    sources: BTreeSet<AllowedSource>,
    refuses: bool,
    /// Sources whose entries cannot be written.
    broken: BTreeSet<AllowedSource>,
    converged: usize,
    entries: usize,
    bridges_changed: bool,
}

impl FakeKernel {
    fn apply(&mut self, plan: &RulesPlan) -> AppliedRules {
        let changes = usize::from(self.sources != plan.sources);
        self.sources = plan.sources.clone();
        let (broken, installed) = (plan.sources.iter().copied())
            .partition::<BTreeSet<_>, _>(|source| self.broken.contains(source));
        let failed = broken.into_iter().map(|source| (source, refused()));
        AppliedRules {
            changes,
            entries: self.entries,
            bridges_changed: self.bridges_changed,
            installed,
            failed: failed.collect(),
        }
    }
}

fn refused() -> RulesError {
    RulesError::Overtaken
}

#[async_trait]
impl Rules for FakeRules {
    async fn installed(&self) -> Result<InstalledRules, RulesError> {
        let kernel = self.0.lock().unwrap();
        Ok(InstalledRules {
            generation: kernel.generation,
            sources: kernel.sources.clone(),
        })
    }

    async fn take_over(
        &self,
        listeners: Listeners,
    ) -> Result<(RulesPlan, AppliedRules), RulesError> {
        let mut kernel = self.0.lock().unwrap();
        if kernel.refuses {
            return Err(refused());
        }
        kernel.generation += 1;
        let plan = RulesPlan {
            listeners,
            generation: kernel.generation,
            sources: kernel.sources.clone(),
        };
        let applied = kernel.apply(&plan);
        Ok((plan, applied))
    }

    async fn converge(&self, plan: &RulesPlan) -> Result<AppliedRules, RulesError> {
        let mut kernel = self.0.lock().unwrap();
        kernel.converged += 1;
        match kernel.generation {
            by if by > plan.generation => Err(RulesError::Superseded {
                by,
                own: plan.generation,
            }),
            _ if kernel.refuses => Err(refused()),
            _ => Ok(kernel.apply(plan)),
        }
    }

    async fn remove(&self) -> Result<bool, RulesError> {
        Ok(false)
    }
}

struct FakeEvents(tokio::sync::Mutex<mpsc::Receiver<KernelEvent>>);

#[async_trait]
impl KernelEvents for FakeEvents {
    async fn next(&self) -> KernelEvent {
        match self.0.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

struct Running {
    rules: FakeRules,
    allowed: AllowedEndpoints,
    installed: InstalledEndpoints,
    active: watch::Receiver<ActiveDaemon>,
    events: mpsc::Sender<KernelEvent>,
    readiness: Readiness,
    metrics: NodeMetrics,
    task: tokio::task::JoinHandle<Result<(), Infallible>>,
}

impl Running {
    /// A daemon that has taken over from one that is gone.
    async fn with(sources: &[PodEndpoint]) -> Self {
        Self::start(sources, None).await
    }

    /// A daemon beside an earlier one, from which it takes over when a request asks for it.
    async fn beside(sources: &[PodEndpoint], requests: TakeOverRequests) -> Self {
        Self::start(sources, Some(requests)).await
    }

    async fn start(sources: &[PodEndpoint], requests: Option<TakeOverRequests>) -> Self {
        let rules = FakeRules::default();
        let sources: BTreeSet<AllowedSource> = sources.iter().map(source_of).collect();
        rules.0.lock().unwrap().sources = sources.clone();
        let readiness = Readiness::new();
        let metrics = NodeMetrics::register(&mut Registry::default());
        let (mut reconciler, mut channels) = Reconciler::new(
            rules.clone(),
            LISTENERS,
            sources,
            readiness.clone(),
            metrics.clone(),
        );
        if requests.is_none() {
            reconciler.take_over().await.unwrap();
            channels.installed.mark_unchanged();
        }
        let (events, receiver) = mpsc::channel(4);
        let events_of_kernel = FakeEvents(tokio::sync::Mutex::new(receiver));
        Self {
            rules,
            allowed: channels.allowed,
            installed: channels.installed,
            active: channels.active,
            events,
            readiness,
            metrics,
            task: tokio::spawn(reconciler.run(requests, events_of_kernel)),
        }
    }

    fn kernel(&self) -> std::sync::MutexGuard<'_, FakeKernel> {
        self.rules.0.lock().unwrap()
    }

    /// Lets the reconciler handle all that is due now; the paused clock does not move.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn not_ready_because(&self) -> Vec<String> {
        let pending = self.readiness.pending();
        pending.into_iter().map(|check| check.name).collect()
    }
}

fn endpoint(last: u8) -> PodEndpoint {
    PodEndpoint {
        interface: u32::from(last),
        address: Ipv4Addr::new(10, 244, 0, last),
        bridge_port: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_daemon_allowed_stays_until_it_is_decided_otherwise() {
    within_limit(async {
        let running = Running::with(&[endpoint(2)]).await;
        assert_eq!(*running.allowed.borrow(), [endpoint(2)].into());
        assert_eq!(*running.installed.borrow(), [endpoint(2)].into());
        running.settle().await;
        assert_eq!(running.kernel().converged, 0, "nothing has to be changed");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn allowed_endpoints_are_installed_and_others_removed() {
    within_limit(async {
        let mut running = Running::with(&[endpoint(2)]).await;
        running.allowed.send_replace([endpoint(3)].into());
        running.installed.changed().await.unwrap();
        assert_eq!(*running.installed.borrow(), [endpoint(3)].into());
        assert_eq!(running.kernel().sources, [source_of(&endpoint(3))].into());
        assert_eq!(running.metrics.rules_repaired.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_whose_entries_fail_is_not_installed() {
    within_limit(async {
        let mut running = Running::with(&[]).await;
        running.kernel().broken = [source_of(&endpoint(3))].into();
        running
            .allowed
            .send_replace([endpoint(2), endpoint(3)].into());
        running.installed.changed().await.unwrap();
        assert_eq!(*running.installed.borrow(), [endpoint(2)].into());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_others_change_is_repaired_and_counted() {
    within_limit(async {
        let running = Running::with(&[endpoint(2)]).await;
        running.kernel().sources.clear();
        running
            .events
            .send(KernelEvent::RulesChanged)
            .await
            .unwrap();
        running.settle().await;
        assert_eq!(running.kernel().sources, [source_of(&endpoint(2))].into());
        assert_eq!(running.metrics.rules_repaired.get(), 1);
        // A change of another table, or one of our own.
        running
            .events
            .send(KernelEvent::RulesChanged)
            .await
            .unwrap();
        running.settle().await;
        assert_eq!(running.metrics.rules_repaired.get(), 1);
        // The kernel drops entries by itself.
        running.kernel().entries = 1;
        running
            .events
            .send(KernelEvent::RulesChanged)
            .await
            .unwrap();
        running.settle().await;
        assert_eq!(running.metrics.rules_repaired.get(), 1);
        // Our own change for a bridge's new address may be announced while it gets another.
        {
            let mut kernel = running.kernel();
            kernel.sources.clear();
            kernel.bridges_changed = true;
        }
        running
            .events
            .send(KernelEvent::RulesChanged)
            .await
            .unwrap();
        running.settle().await;
        assert_eq!(running.metrics.rules_repaired.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_announcement_is_made_up_for() {
    within_limit(async {
        let running = Running::with(&[endpoint(2)]).await;
        running.settle().await;
        running.kernel().sources.clear();
        tokio::time::sleep(CHECK_INTERVAL + RETRY_PAUSE).await;
        assert_eq!(running.kernel().sources, [source_of(&endpoint(2))].into());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_makes_the_daemon_unready_until_a_try_succeeds() {
    within_limit(async {
        let mut running = Running::with(&[]).await;
        running.kernel().refuses = true;
        running.allowed.send_replace([endpoint(2)].into());
        running.settle().await;
        assert_eq!(running.not_ready_because(), ["rules in place"]);
        assert!(running.installed.borrow().is_empty());
        running.kernel().refuses = false;
        running.installed.changed().await.unwrap();
        running.settle().await;
        assert_eq!(*running.installed.borrow(), [endpoint(2)].into());
        assert!(running.readiness.is_ready());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_started_later_is_left_alone() {
    within_limit(async {
        let running = Running::with(&[endpoint(2)]).await;
        running.kernel().generation += 1;
        running.allowed.send_replace([endpoint(3)].into());
        running.settle().await;
        assert_eq!(running.not_ready_because(), ["sole daemon of the node"]);
        assert_eq!(*running.active.borrow(), ActiveDaemon::Later);
        let tries = running.kernel().converged;
        running.allowed.send_replace([endpoint(4)].into());
        tokio::time::sleep(CHECK_INTERVAL * 2).await;
        assert_eq!(running.kernel().converged, tries);
        assert_eq!(running.kernel().sources, [source_of(&endpoint(2))].into());
        assert_eq!(*running.installed.borrow(), [endpoint(2)].into());
        // What the later one does is what this one's requests are answered by.
        running.kernel().sources = [source_of(&endpoint(3))].into();
        let event = KernelEvent::RulesChanged;
        running.events.send(event).await.unwrap();
        running.settle().await;
        assert_eq!(*running.installed.borrow(), [endpoint(3)].into());
        drop(running.allowed);
        running.task.await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_earlier_daemon_keeps_the_rules_until_this_one_asks_for_them() {
    within_limit(async {
        let (handover, requests) = Handover::new(Box::pin(std::future::pending()));
        let mut running = Running::beside(&[endpoint(2)], requests).await;
        running.allowed.send_replace([endpoint(4)].into());
        tokio::time::sleep(CHECK_INTERVAL * 2).await;
        // The earlier daemon has attested another pod meanwhile.
        running.kernel().sources = [endpoint(2), endpoint(3)].iter().map(source_of).collect();
        let before = {
            let kernel = running.kernel();
            (kernel.generation, kernel.converged)
        };
        assert_eq!(before, (0, 0));
        assert_eq!(*running.active.borrow(), ActiveDaemon::Earlier);
        assert!(running.installed.borrow().is_empty());
        assert_eq!(running.not_ready_because(), ["rules taken over"]);

        let inherited = handover.take_over().await;
        assert_eq!(inherited, [endpoint(2), endpoint(3)].into());
        assert_eq!(*running.installed.borrow(), inherited);
        assert_eq!(*running.active.borrow(), ActiveDaemon::This);
        assert!(running.readiness.is_ready());
        running.settle().await;
        let kept = running.kernel().sources.len();
        assert_eq!(kept, 2, "nothing is removed before it was decided on");
        running.installed.mark_unchanged();
        running.allowed.send_replace([endpoint(3)].into());
        running.installed.changed().await.unwrap();
        assert_eq!(running.kernel().sources, [source_of(&endpoint(3))].into());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn taking_over_is_tried_until_the_kernel_lets_it() {
    within_limit(async {
        let (handover, requests) = Handover::new(Box::pin(std::future::pending()));
        let running = Running::beside(&[endpoint(2)], requests).await;
        running.kernel().refuses = true;
        let taking_over = tokio::spawn(handover.take_over());
        running.settle().await;
        assert_eq!(*running.active.borrow(), ActiveDaemon::Earlier);
        running.kernel().refuses = false;
        assert_eq!(taking_over.await.unwrap(), [endpoint(2)].into());
    })
    .await;
}
