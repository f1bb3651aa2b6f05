//! Elections on an API server in memory, by tokio's clock, which is moved by hand.

use std::cell::{Cell, OnceCell};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use http::{Method, StatusCode};
use kube::Client;
use podid_core::lease::{LEASE_DURATION, WRITE_DURATION};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::*;
use crate::args::Args;
use crate::fake_api_server::{self, failure};
use crate::metrics::ControllerMetrics;

thread_local! {
    static START: OnceCell<Instant> = const { OnceCell::new() };
    /// For how long the machine was suspended, which tokio's clock does not see.
    static SUSPENDED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn now() -> Moment {
    let start = START.with(|start| *start.get_or_init(Instant::now));
    Moment::after_start(start.elapsed() + SUSPENDED.get())
}

/// An API server that has a Lease.
#[derive(Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
    /// Writes whose answers are lost.
    lost_answers: usize,
    is_down: bool,
}

impl Server {
    fn answer(&mut self, method: &Method, sent: &Value) -> (StatusCode, Value) {
        if self.is_down {
            return failure(StatusCode::BAD_GATEWAY);
        }
        match (method, &self.lease) {
            (&Method::GET, Some(lease)) => return (StatusCode::OK, lease.clone()),
            (&Method::POST, None) => self.store(sent["spec"].clone()),
            (&Method::POST, Some(_)) => return failure(StatusCode::CONFLICT),
            (&Method::PATCH, Some(lease)) => {
                let known = sent["metadata"]["resourceVersion"].clone();
                if lease["metadata"]["resourceVersion"] != known {
                    return failure(StatusCode::CONFLICT);
                }
                let mut spec = lease["spec"].clone();
                for (name, value) in sent["spec"].as_object().expect("a spec") {
                    spec[name] = value.clone();
                }
                self.store(spec);
            }
            _ => return failure(StatusCode::NOT_FOUND),
        }
        if self.lost_answers > 0 {
            self.lost_answers -= 1;
            return failure(StatusCode::BAD_GATEWAY);
        }
        (StatusCode::OK, self.lease.clone().unwrap_or_default())
    }

    fn store(&mut self, spec: Value) {
        self.version += 1;
        let version = self.version.to_string();
        let metadata = json!({ "name": "podid-operator", "resourceVersion": version });
        self.lease = Some(json!({ "metadata": metadata, "spec": spec }));
    }
}

/// What all replicas of a test share.
#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Server>>);

impl Cluster {
    fn server<T>(&self, act: impl FnOnce(&mut Server) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn holder(&self) -> Option<String> {
        let holder = self.server(|server| server.lease.clone())?["spec"]["holderIdentity"].clone();
        holder.as_str().map(str::to_owned)
    }

    fn client(&self) -> Client {
        let cluster = self.clone();
        fake_api_server::client(move |method, _, body| {
            let answer = cluster.server(|server| server.answer(&method, &body));
            std::future::ready(answer)
        })
    }

    /// A replica that takes part.
    async fn join(&self, name: &str) -> Replica {
        let args = ["podid-operator", "--replica", name];
        let args = Args::try_parse_from(args).expect("flags");
        let (sender, leadership) = Leadership::by(BootClock::fake(now));
        let metrics = ControllerMetrics::register(&mut Registry::default());
        let election = Election::join(
            self.client(),
            &args.cluster.namespace,
            &args.lease,
            sender,
            metrics,
        );
        let election = election.await.expect("it joins");
        Replica {
            task: tokio::spawn(election.clone().run()),
            election,
            leadership,
        }
    }
}

struct Replica {
    task: JoinHandle<Result<Infallible, LeaderError>>,
    election: Election,
    leadership: Leadership,
}

impl Replica {
    async fn leads(&self) {
        let gained = timeout(Duration::from_secs(60), self.leadership.gained());
        gained.await.expect("it leads");
    }

    /// Why it ended, after which it does not lead.
    async fn ended(self) -> LeaderError {
        let ended = timeout(Duration::from_secs(60), self.task).await;
        let error = ended.expect("it ends").unwrap().unwrap_err();
        assert!(!self.leadership.is_held());
        error
    }
}

/// Waits until `next` leads, and looks often that not both do; how long it took.
async fn until_followed(first: &Leadership, next: &Leadership) -> Duration {
    let start = now();
    while !next.is_held() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!(first.is_held() && next.is_held()), "two replicas lead");
        let waited = now().saturating_duration_since(start);
        assert!(waited < Duration::from_secs(60), "nobody follows");
    }
    now().saturating_duration_since(start)
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_the_next_look() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    let two = cluster.join("two").await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(one.leadership.is_held() && !two.leadership.is_held());
    one.task.abort();
    one.election.release().await;
    let took = until_followed(&one.leadership, &two.leadership).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(cluster.holder().as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_is_followed_when_its_lease_is_over_and_not_before() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    let two = cluster.join("two").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    one.task.abort();
    let took = until_followed(&one.leadership, &two.leadership).await;
    let limits = LEASE_DURATION - Duration::from_secs(3)..LEASE_DURATION + Duration::from_secs(2);
    assert!(limits.contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn of_many_that_come_at_once_one_leads() {
    let cluster = Cluster::default();
    let names = ["a", "b", "c", "d"];
    let replicas = futures::future::join_all(names.map(|name| cluster.join(name))).await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let leaders = replicas.iter().filter(|one| one.leadership.is_held());
        assert_eq!(leaders.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_renew_stops_before_another_leads() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    cluster.server(|server| server.is_down = true);
    let start = now();
    assert!(matches!(one.ended().await, LeaderError::NotRenewed));
    assert!(now().saturating_duration_since(start) < LEASE_DURATION);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_and_lost_answers_cost_nothing() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    let two = cluster.join("two").await;
    cluster.server(|server| server.is_down = true);
    tokio::time::sleep(Duration::from_secs(6)).await;
    cluster.server(|server| (server.is_down, server.lost_answers) = (false, 2));
    for _ in 0..100 {
        assert!(one.leadership.is_held() && !two.leadership.is_held());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_whose_lease_another_has_stops() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    cluster.server(|server| server.store(json!({ "holderIdentity": "two" })));
    assert!(matches!(one.ended().await, LeaderError::Lost));
}

#[tokio::test(start_paused = true)]
async fn one_that_slept_does_not_lead_when_it_wakes_up() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    SUSPENDED.set(WRITE_DURATION);
    assert!(!one.leadership.is_held(), "nothing of it has run yet");
    assert!(matches!(one.ended().await, LeaderError::NotRenewed));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_not_taken_from_one_that_does_not_know() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    one.leads().await;
    let two = cluster.join("two").await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    cluster.server(|server| server.lease = None);
    until_followed(&one.leadership, &two.leadership).await;
    assert!(matches!(one.ended().await, LeaderError::Lost));
}

#[tokio::test(start_paused = true)]
async fn only_ones_own_lease_is_released() {
    let cluster = Cluster::default();
    let one = cluster.join("one").await;
    let two = cluster.join("two").await;
    one.leads().await;
    two.election.release().await;
    assert_eq!(cluster.holder().as_deref(), Some("one"));
    cluster.server(|server| server.store(json!({ "holderIdentity": "two" })));
    one.election.release().await;
    assert_eq!(cluster.holder().as_deref(), Some("two"));
    two.task.abort();
}

#[tokio::test(start_paused = true)]
async fn the_lease_tells_people_who_leads() {
    let cluster = Cluster::default();
    for (name, transitions) in [("one", Value::Null), ("two", json!(1)), ("two", json!(2))] {
        let replica = cluster.join(name).await;
        replica.leads().await;
        let spec = cluster
            .server(|server| server.lease.clone())
            .expect("a lease")["spec"]
            .clone();
        assert_eq!(spec["holderIdentity"], name);
        assert_eq!(spec["leaseTransitions"], transitions);
        assert_eq!(spec["leaseDurationSeconds"], LEASE_DURATION.as_secs());
        assert_eq!(spec["acquireTime"], spec["renewTime"]);
        replica.task.abort();
        replica.election.release().await;
        assert_eq!(cluster.holder(), None);
    }
}
