use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use podid_azure::ClientHeaders;
use podid_core::imds_limit::{AT_ONCE, AT_ONCE_OF_ONE, IN_WINDOW, IN_WINDOW_OF_ONE, WINDOW};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::testing::{imds_token, within_limit};

/// Answers when it is not held; counts those that ask, and those that wait.
#[derive(Debug)]
struct SlowImds {
    held: watch::Sender<bool>,
    asked: AtomicUsize,
    waiting: AtomicUsize,
    fails: bool,
}

/// Counts one that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ImdsTokens for SlowImds {
    async fn token(&self, request: &ImdsTokenRequest) -> Answer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        let _end = self.held.subscribe().wait_for(|held| !held).await.map(drop);
        if self.fails {
            return Err(not_asked());
        }
        Ok(imds_token(request))
    }
}

struct Bench {
    service: Arc<SlowImds>,
    imds: SharedImds,
}

fn bench(fails: bool) -> Bench {
    let service = Arc::new(SlowImds {
        held: watch::Sender::new(true),
        asked: AtomicUsize::default(),
        waiting: AtomicUsize::default(),
        fails,
    });
    let metrics = NodeMetrics::register(&mut Registry::default());
    let client = Arc::clone(&service) as Arc<dyn ImdsTokens>;
    Bench {
        service,
        imds: SharedImds::new(client, metrics),
    }
}

impl Bench {
    fn asked(&self) -> usize {
        self.service.asked.load(Ordering::SeqCst)
    }

    fn waiting(&self) -> usize {
        self.service.waiting.load(Ordering::SeqCst)
    }

    /// Lets a pod ask for a resource, in a task.
    fn ask(&self, tasks: &mut JoinSet<Answer>, pod: &str, resource: &str) {
        let (imds, pod, request) = (self.imds.clone(), pod.to_owned(), request(resource));
        tasks.spawn(async move { imds.asked_for(PermitOwner::Pod(pod)).token(&request).await });
    }

    /// Waits until all tasks have done what they can now.
    async fn settle(&self) {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    fn release(&self) {
        self.service.held.send_replace(false);
    }
}

fn request(resource: &str) -> ImdsTokenRequest {
    ImdsTokenRequest {
        identity: ImdsIdentity::ResourceId("/x".into()),
        resource: resource.into(),
        headers: ClientHeaders::default(),
        bypass_cache: false,
    }
}

#[tokio::test(start_paused = true)]
async fn equal_questions_of_all_pods_are_one_also_when_it_fails() {
    within_limit(async {
        for fails in [false, true] {
            let (bench, mut tasks) = (bench(fails), JoinSet::new());
            for number in 0..100 {
                bench.ask(&mut tasks, &(number % 7).to_string(), "r");
            }
            bench.settle().await;
            bench.release();
            let answers = tasks.join_all().await;
            assert!(answers.iter().all(|answer| answer.is_err() == fails));
            assert_eq!(bench.asked(), 1);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_question_is_cancelled_when_nobody_waits_any_more_and_not_sooner() {
    within_limit(async {
        let (bench, mut tasks) = (bench(false), JoinSet::new());
        let request = request("r");
        let asked_for = bench.imds.asked_for(PermitOwner::Pod("first".into()));
        let mut first = asked_for.token(&request).boxed();
        assert!(futures::poll!(&mut first).is_pending());
        bench.ask(&mut tasks, "second", "r");
        bench.settle().await;
        drop(first);
        bench.settle().await;
        assert_eq!(
            (bench.asked(), bench.waiting()),
            (1, 1),
            "the other one waits"
        );
        tasks.shutdown().await;
        bench.settle().await;
        assert_eq!((bench.asked(), bench.waiting()), (1, 0));
        bench.ask(&mut tasks, "third", "r");
        bench.release();
        assert!(tasks.join_next().await.unwrap().unwrap().is_ok());
        assert_eq!(bench.asked(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_the_service_hold_for_the_whole_node() {
    within_limit(async {
        let (bench, mut tasks) = (bench(false), JoinSet::new());
        for number in 0..60 {
            bench.ask(&mut tasks, &(number % 10).to_string(), &number.to_string());
        }
        bench.settle().await;
        assert_eq!((bench.asked(), bench.waiting()), (AT_ONCE, AT_ONCE));
        let started = Instant::now();
        bench.release();
        bench.settle().await;
        assert_eq!(bench.asked(), IN_WINDOW);
        tasks.join_all().await;
        assert_eq!((bench.asked(), started.elapsed()), (60, 2 * WINDOW));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_pod_that_asks_for_very_much_keeps_nobody_waiting() {
    within_limit(async {
        let (bench, mut tasks, mut others) = (bench(false), JoinSet::new(), JoinSet::new());
        for number in 0..1000 {
            bench.ask(&mut tasks, "greedy", &number.to_string());
        }
        bench.settle().await;
        assert_eq!(bench.waiting(), AT_ONCE_OF_ONE, "its requests hang");
        bench.ask(&mut others, "modest", "r");
        bench.settle().await;
        assert_eq!(bench.waiting(), AT_ONCE_OF_ONE + 1, "and leave room");
        bench.release();
        bench.settle().await;
        assert_eq!(bench.asked(), IN_WINDOW_OF_ONE + 1);
        assert!(others.join_next().await.unwrap().unwrap().is_ok());
        // Each of its requests waits for its turn, and no longer than it may.
        let started = Instant::now();
        let answers = tasks.join_all().await;
        let served = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!((served, started.elapsed()), (100, PERMIT_WAIT));
        let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(refused.into_iter().all(ImdsError::is_retryable));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_permit_is_answered_by_anybodys_equal_question() {
    within_limit(async {
        let (bench, mut tasks, mut late) = (bench(false), JoinSet::new(), JoinSet::new());
        for number in 0..20 {
            bench.ask(&mut tasks, "greedy", &number.to_string());
        }
        bench.settle().await;
        // Behind its own requests; then another pod asks the same.
        bench.ask(&mut late, "greedy", "shared");
        bench.settle().await;
        assert_eq!(bench.asked(), AT_ONCE_OF_ONE);
        bench.ask(&mut late, "modest", "shared");
        bench.settle().await;
        assert_eq!(bench.asked(), AT_ONCE_OF_ONE + 1);
        let started = Instant::now();
        bench.release();
        assert!(late.join_all().await.iter().all(Result::is_ok));
        assert_eq!(started.elapsed(), Duration::ZERO);
    })
    .await;
}
