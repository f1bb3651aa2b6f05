//! The machines that are worked on, each by its own worker.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use podid_azure::Compute;
use podid_core::arm::ArmId;
use podid_core::target::AssignmentRecord;
use podid_core::target::Target;
use podid_runtime::Drain;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::ledger::Ledgers;
use super::machine::Machine;
use super::order::{Order, Wanted};
use super::report::{Report, Reporter};
use super::worker::Worker;
use super::{Assignments, Context, Metrics};

#[derive(Debug)]
pub(super) struct Fleet {
    compute: Arc<dyn Compute>,
    ledgers: Arc<dyn Ledgers>,
    immutable: Arc<BTreeSet<ArmId>>,
    interval: Duration,
    window: Duration,
    metrics: Metrics,
    assignments: Assignments,
    drain: Drain,
    engaged: HashMap<Target, Engaged>,
    to_us: mpsc::UnboundedSender<Report>,
    tasks: JoinSet<()>,
}

/// A machine with a worker.
#[derive(Debug)]
struct Engaged {
    orders: watch::Sender<Order>,
    /// What the worker was told to put on the machine and has not answered for: it may be at it.
    promised: BTreeSet<ArmId>,
    report: Report,
}

impl Fleet {
    /// No machines yet, and where reports about them will arrive: hand each to
    /// [`hear`](Self::hear).
    pub(super) fn new(
        context: &Context,
        ledgers: Arc<dyn Ledgers>,
        drain: Drain,
    ) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (to_us, reports) = mpsc::unbounded_channel();
        let settings = &context.settings;
        let fleet = Self {
            compute: Arc::clone(&context.compute),
            ledgers,
            immutable: Arc::new(settings.immutable.clone()),
            interval: settings.interval,
            window: settings.window,
            metrics: context.metrics.clone(),
            assignments: context.assignments.clone(),
            drain,
            engaged: HashMap::new(),
            to_us,
            tasks: JoinSet::new(),
        };
        (fleet, reports)
    }

    /// What is known of a machine; `None` if it is nobody's business here.
    pub(super) fn report(&self, target: &Target) -> Option<&Report> {
        self.engaged.get(target).map(|engaged| &engaged.report)
    }

    /// Has a machine carry what is wanted.
    pub(super) fn order(&mut self, target: &Target, wanted: Wanted) {
        let Some(engaged) = self.engaged.get_mut(target) else {
            if !wanted.desired.is_empty() {
                self.engage(target, wanted, AssignmentRecord::default());
            }
            return;
        };
        engaged.promised.extend(wanted.desired.iter().cloned());
        engaged.orders.send_if_modified(|order| {
            let changed = order.wanted != wanted;
            if changed {
                order
                    .hurried
                    .retain(|identity, _| wanted.desired.contains(identity));
                order.number += 1;
                order.wanted = wanted;
            }
            changed
        });
        self.tell_carried(target);
    }

    /// The machines that carry an identity through us, or may.
    pub(super) fn carriers(&self, identity: &ArmId) -> impl Iterator<Item = &Target> {
        let carriers = self.engaged.iter().filter(|(_, engaged)| {
            engaged.promised.contains(identity) || engaged.report.ours.contains(identity)
        });
        carriers.map(|(target, _)| target)
    }

    /// Has a machine compared at once, and an identity tried again if it was refused: somebody says that
    /// what was in its way is mended.
    pub(super) fn hurry(&mut self, target: &Target, identity: &ArmId) {
        let Some(engaged) = self.engaged.get_mut(target) else {
            return;
        };
        engaged.orders.send_modify(|order| {
            order.number += 1;
            order.hurried.insert(identity.clone(), order.number);
        });
    }

    /// Starts work on a machine that carries what `ledger` says.
    pub(super) fn engage(&mut self, target: &Target, wanted: Wanted, ledger: AssignmentRecord) {
        let promised = wanted.desired.clone();
        let (orders, receiver) = watch::channel(Order {
            number: 1,
            wanted,
            ..Order::default()
        });
        let reporter = Reporter::new(target.clone(), &ledger, self.to_us.clone());
        let report = reporter.current().clone();
        let machine = Machine::new(
            target.clone(),
            Arc::clone(&self.compute),
            Arc::clone(&self.ledgers),
            Arc::clone(&self.immutable),
            self.metrics.clone(),
            ledger,
        );
        let (interval, window) = (self.interval, self.window);
        let worker = Worker {
            machine,
            orders: receiver,
            reporter,
            interval,
            window,
        };
        self.tasks.spawn(worker.run(self.drain.clone()));
        self.engaged.insert(
            target.clone(),
            Engaged {
                orders,
                promised,
                report,
            },
        );
        self.metrics.set_targets(self.engaged.len());
        self.tell_carried(target);
    }

    /// Takes note of what is known of a machine. Returns the identities about whose place on it
    /// something else is known than before.
    pub(super) fn hear(&mut self, report: Report) -> BTreeSet<ArmId> {
        let target = report.target.clone();
        let Some(engaged) = self.engaged.get_mut(&target) else {
            return BTreeSet::new();
        };
        let changed = differing(&engaged.report, &report);
        let mut rests = false;
        {
            let last = engaged.orders.borrow();
            if last.number == report.order {
                engaged.promised = last.wanted.desired.clone();
                rests = report.at_rest;
            }
        }
        engaged.report = report;
        if rests {
            // Its worker has nothing to do but to notice that nobody gives orders any more.
            self.engaged.remove(&target);
            self.metrics.set_targets(self.engaged.len());
        }
        self.tell_carried(&target);
        changed
    }

    /// Waits until a worker ends; for ever if there is none.
    pub(super) async fn worker_ended(&mut self) -> Result<(), JoinError> {
        match self.tasks.join_next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Lets the workers finish what is under way.
    pub(super) async fn finish(mut self) -> Result<(), JoinError> {
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    fn tell_carried(&self, target: &Target) {
        let engaged = self.engaged.get(target);
        let carried = engaged.map(|engaged| {
            engaged
                .promised
                .union(&engaged.report.ours)
                .cloned()
                .collect()
        });
        self.assignments
            .set_carried(target, carried.unwrap_or_default());
    }
}

fn differing(before: &Report, after: &Report) -> BTreeSet<ArmId> {
    let none = BTreeSet::new();
    let (was, is) = (before.carries.as_ref(), after.carries.as_ref());
    let mut differing: BTreeSet<ArmId> = was
        .unwrap_or(&none)
        .symmetric_difference(is.unwrap_or(&none))
        .cloned()
        .collect();
    let failures = before.failures.keys().chain(after.failures.keys());
    let differs = |id: &&ArmId| before.failures.get(*id) != after.failures.get(*id);
    differing.extend(failures.filter(differs).cloned());
    differing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::fake::{FakeCompute, FakeLedgers, context, id, ids, target};
    use crate::assignment::{Carried, Settings};

    struct Bench {
        fleet: Fleet,
        reports: mpsc::UnboundedReceiver<Report>,
        compute: Arc<FakeCompute>,
        assignments: Assignments,
    }

    fn bench() -> Bench {
        let compute = Arc::new(FakeCompute::new(&[]));
        let context = context(&compute);
        let assignments = context.assignments.clone();
        let (fleet, reports) = Fleet::new(&context, Arc::new(FakeLedgers::default()), Drain::new());
        Bench {
            fleet,
            reports,
            compute,
            assignments,
        }
    }

    fn wanted(names: &[&str]) -> Wanted {
        Wanted {
            desired: ids(names),
            ..Wanted::default()
        }
    }

    impl Bench {
        /// Hears reports until the identity is not carried any more.
        async fn until_nowhere(&mut self, name: &str) {
            while self.assignments.still_assigned(&id(name)) != Carried::Nowhere {
                let report = self.reports.recv().await.unwrap();
                self.fleet.hear(report);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_identity_counts_as_carried_from_the_order_until_it_is_gone_from_azure() {
        let mut bench = bench();
        bench.compute.slow_down(Duration::from_secs(40));
        bench.fleet.order(&target(), wanted(&["a"]));
        assert_eq!(
            bench.assignments.still_assigned(&id("a")),
            Carried::On(vec![target()])
        );
        // The worker is at it when the pod goes away again.
        tokio::time::sleep(Duration::from_secs(10)).await;
        bench.fleet.order(&target(), wanted(&[]));
        assert_eq!(
            bench.assignments.still_assigned(&id("a")),
            Carried::On(vec![target()])
        );
        bench.until_nowhere("a").await;
        assert_eq!(bench.compute.on_machine(), ids(&[]));
        assert_eq!(bench.compute.patches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_at_rest_is_forgotten_and_taken_up_again() {
        let mut bench = bench();
        bench.fleet.order(&target(), wanted(&[]));
        assert!(
            bench.fleet.report(&target()).is_none(),
            "nobody asked for anything"
        );
        for _ in 0..2 {
            bench.fleet.order(&target(), wanted(&["a"]));
            tokio::time::sleep(Duration::from_secs(1)).await;
            bench.fleet.order(&target(), wanted(&[]));
            bench.until_nowhere("a").await;
            assert!(bench.fleet.report(&target()).is_none());
            bench.fleet.worker_ended().await.unwrap();
        }
        assert_eq!(bench.compute.patches(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_checked_yet_stays_and_is_not_put_on() {
        let mut bench = bench();
        bench.compute.arrive(&["a"]);
        let unchecked = Wanted {
            desired: ids(&["new"]),
            kept: ids(&["a", "b"]),
            ..Wanted::default()
        };
        let ledger = AssignmentRecord(ids(&["a"]));
        bench.fleet.engage(&target(), unchecked, ledger);
        tokio::time::sleep(Settings::INTERVAL).await;
        assert_eq!(bench.compute.on_machine(), ids(&["a", "new"]));
        bench.fleet.order(&target(), wanted(&["new"]));
        bench.until_nowhere("a").await;
        assert_eq!(bench.compute.on_machine(), ids(&["new"]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_identity_that_was_made_anew_is_renewed_when_its_azure_identity_says_so() {
        let mut bench = bench();
        for client_id in ["old", "new"] {
            bench.compute.make_anew("a", client_id);
            let client_ids = [(id("a"), client_id.to_owned())].into();
            let order = Wanted {
                client_ids,
                ..wanted(&["a"])
            };
            bench.fleet.order(&target(), order);
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(bench.compute.client_id("a").as_deref(), Some(client_id));
        }
        assert_eq!(bench.compute.patches(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_run_left_is_taken_away() {
        let mut bench = bench();
        bench.compute.arrive(&["a", "theirs"]);
        bench
            .fleet
            .engage(&target(), wanted(&[]), AssignmentRecord(ids(&["a"])));
        assert_eq!(
            bench.assignments.still_assigned(&id("a")),
            Carried::On(vec![target()])
        );
        bench.until_nowhere("a").await;
        assert_eq!(bench.compute.on_machine(), ids(&["theirs"]));
    }
}
