use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::assignment::fake::{FakeCompute, FakeLedgers, id, ids, metrics, target};
use crate::assignment::report::Report;
use podid_azure::Compute;
use podid_core::target::AssignmentRecord;
use tokio::sync::mpsc;

const INTERVAL: Duration = Duration::from_secs(180);
const WINDOW: Duration = Duration::from_millis(250);

struct Bench {
    compute: Arc<FakeCompute>,
    orders: watch::Sender<Order>,
    reports: mpsc::UnboundedReceiver<Report>,
    drain: Drain,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn new(compute: FakeCompute) -> Self {
        let compute = Arc::new(compute);
        let (orders, receiver) = watch::channel(Order::default());
        let (to, reports) = mpsc::unbounded_channel();
        let machine = Machine::new(
            target(),
            Arc::clone(&compute) as Arc<dyn Compute>,
            Arc::new(FakeLedgers::default()),
            Arc::default(),
            metrics(),
            AssignmentRecord::default(),
        );
        let reporter = Reporter::new(target(), &AssignmentRecord::default(), to);
        let worker = Worker {
            machine,
            orders: receiver,
            reporter,
            interval: INTERVAL,
            window: WINDOW,
        };
        let drain = Drain::new();
        let task = tokio::spawn(worker.run(drain.clone()));
        Self {
            compute,
            orders,
            reports,
            drain,
            task,
        }
    }

    fn order(&self, desired: &[&str]) {
        self.orders.send_modify(|order| {
            order.number += 1;
            order.wanted.desired = ids(desired);
        });
    }

    fn hurry(&self, name: &str) {
        self.orders.send_modify(|order| {
            order.number += 1;
            order.hurried.insert(id(name), order.number);
        });
    }

    /// The first report that fits.
    async fn report(&mut self, fits: impl Fn(&Report) -> bool) -> Report {
        let wait = async {
            loop {
                let report = self.reports.recv().await.expect("the worker runs");
                if fits(&report) {
                    return report;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(3600), wait)
            .await
            .expect("such a report")
    }
}

#[tokio::test(start_paused = true)]
async fn orders_that_arrive_together_go_out_in_one_patch() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.report(|report| report.at_rest).await;
    for names in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        bench.order(names);
        tokio::time::sleep(WINDOW / 4).await;
    }
    bench.report(|report| report.order == 3).await;
    assert_eq!(bench.compute.patches(), 1);
    assert_eq!(bench.compute.on_machine(), ids(&["a", "b", "c"]));
}

#[tokio::test(start_paused = true)]
async fn orders_that_keep_coming_do_not_put_the_first_off() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.report(|report| report.at_rest).await;
    let started = Instant::now();
    for number in 0..20 {
        bench.order(&["a", &format!("b{number}")]);
        tokio::time::sleep(WINDOW / 5).await;
    }
    let first = bench.report(|report| report.carries.as_ref().is_some_and(|ids| !ids.is_empty()));
    first.await;
    assert!(
        bench.compute.patches() >= 3,
        "{:?} {}",
        started.elapsed(),
        bench.compute.patches()
    );
}

#[tokio::test(start_paused = true)]
async fn a_throttled_machine_is_left_alone_for_the_time_asked() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.report(|report| report.at_rest).await;
    bench
        .compute
        .refuse(429, "OperationNotAllowed", Some(Duration::from_secs(120)));
    bench.order(&["a"]);
    let report = bench.report(|report| !report.failures.is_empty()).await;
    assert_eq!(
        report.failures.keys().cloned().collect::<BTreeSet<_>>(),
        ids(&["a"])
    );
    let refused = Instant::now();
    bench.compute.relent();
    bench.order(&["a", "b"]);
    bench
        .report(|report| report.failures.is_empty() && report.order == 2)
        .await;
    assert!(
        refused.elapsed() >= Duration::from_secs(120),
        "{:?}",
        refused.elapsed()
    );
    assert_eq!(bench.compute.patches(), 2);
}

#[tokio::test(start_paused = true)]
async fn trouble_is_tried_again_without_any_event() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.compute.refuse(503, "ServiceUnavailable", None);
    bench.order(&["a"]);
    bench.report(|report| !report.failures.is_empty()).await;
    bench.compute.relent();
    let back = Instant::now();
    bench
        .report(|report| report.carries == Some(ids(&["a"])))
        .await;
    assert!(back.elapsed() < LONGEST_RETRY);
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_away_by_hand_comes_back_within_the_interval() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.order(&["a"]);
    bench.report(|report| report.order == 1).await;
    bench.compute.take_away("a");
    let taken = Instant::now();
    bench
        .report(|report| report.carries == Some(ids(&[])))
        .await;
    bench
        .report(|report| report.carries == Some(ids(&["a"])))
        .await;
    assert!(
        taken.elapsed() <= INTERVAL.mul_f64(1.2),
        "{:?}",
        taken.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_of_nobody_is_not_looked_at_again() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.order(&["a"]);
    bench.report(|report| report.order == 1).await;
    bench.order(&[]);
    let report = bench.report(|report| report.order == 2).await;
    assert!(report.at_rest && report.ours.is_empty());
    bench.compute.arrive(&["theirs"]);
    tokio::time::sleep(10 * INTERVAL).await;
    assert!(bench.reports.try_recv().is_err(), "nobody looked");
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_under_way() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.report(|report| report.at_rest).await;
    bench.compute.slow_down(Duration::from_secs(40));
    bench.order(&["a"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.drain.start();
    bench.task.await.expect("no panic");
    assert_eq!(bench.compute.on_machine(), ids(&["a"]));
}

#[tokio::test(start_paused = true)]
async fn who_has_mended_it_need_not_wait() {
    for spoilt in [true, false] {
        let mut bench = Bench::new(FakeCompute::new(&[]));
        match spoilt {
            true => bench.compute.spoil(&["a"], true),
            false => bench.compute.refuse(403, "AuthorizationFailed", None),
        }
        bench.order(&["a"]);
        // Long enough for the waits to have grown.
        tokio::time::sleep(Duration::from_secs(1000)).await;
        bench.compute.spoil(&[], true);
        bench.compute.relent();
        let mended = Instant::now();
        bench.hurry("a");
        bench
            .report(|report| report.carries == Some(ids(&["a"])))
            .await;
        assert!(
            mended.elapsed() <= BETWEEN_REQUESTS,
            "{:?}",
            mended.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn asking_without_end_does_not_spend_the_machines_calls() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.compute.spoil(&["a"], true);
    bench.order(&["a"]);
    bench.report(|report| !report.failures.is_empty()).await;
    let (before, started) = (bench.compute.patches(), Instant::now());
    while started.elapsed() < 10 * BETWEEN_REQUESTS {
        bench.hurry("a");
        tokio::time::sleep(WINDOW).await;
    }
    let tries = bench.compute.patches() - before;
    assert!((2..=11).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_as_it_should_be_is_not_read_without_end_because_people_ask() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.order(&["a"]);
    bench.report(|report| report.order == 1).await;
    let (before, started) = (bench.compute.reads(), Instant::now());
    while started.elapsed() < 10 * BETWEEN_REQUESTS {
        bench.hurry("a");
        tokio::time::sleep(WINDOW).await;
    }
    let reads = bench.compute.reads() - before;
    assert!((5..=11).contains(&reads), "{reads}");
    let asked = Instant::now();
    bench.hurry("a");
    bench.order(&["a", "b"]);
    bench
        .report(|report| report.carries == Some(ids(&["a", "b"])))
        .await;
    assert!(asked.elapsed() <= WINDOW, "a pod waits for nobody who asks");
}

#[tokio::test(start_paused = true)]
async fn asking_does_not_cut_short_what_azure_asked_for() {
    let mut bench = Bench::new(FakeCompute::new(&[]));
    bench.report(|report| report.at_rest).await;
    let asked = Duration::from_secs(120);
    bench.compute.refuse(429, "TooManyRequests", Some(asked));
    bench.order(&["a"]);
    bench.report(|report| !report.failures.is_empty()).await;
    let refused = Instant::now();
    bench.compute.relent();
    bench.hurry("a");
    bench
        .report(|report| report.carries == Some(ids(&["a"])))
        .await;
    assert!(refused.elapsed() >= asked, "{:?}", refused.elapsed());
}
