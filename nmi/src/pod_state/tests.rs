use std::sync::Mutex;
use std::time::Duration;

use podid_core::attest::{NodeLink, PodLink};
use podid_core::binding::Pod;
use podid_core::resolve::CallingPod;
use podid_runtime::Readiness;
use prometheus_client::registry::Registry;

use super::*;

use crate::pod_events::{self, next_warning};
use crate::pod_index::NodePod;
use crate::testing::within_limit;
use podid_index::ObjectKey;
use podid_index::events::EventQueue;
use podid_index::feed::Update;
use std::collections::BTreeMap;

const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);

/// A kernel that shows what the test has set, and can be made to wait until the test lets it go on.
#[derive(Debug, Default)]
struct FakeInspector {
    facts: Mutex<KernelFacts>,
    fails: Mutex<bool>,
    gate: tokio::sync::RwLock<()>,
}

#[async_trait::async_trait]
impl PodInspector for FakeInspector {
    async fn look(&self, _uids: &[String]) -> Result<KernelFacts, LookError> {
        let facts = self.facts.lock().unwrap().clone();
        let _open = self.gate.read().await;
        match *self.fails.lock().unwrap() {
            true => Err(LookError::Processes(std::io::ErrorKind::NotFound.into())),
            false => Ok(facts),
        }
    }
}

struct Running {
    inspector: Arc<FakeInspector>,
    changes: mpsc::Sender<ObjectUpdate>,
    calls: mpsc::Sender<Ipv4Addr>,
    links: mpsc::Sender<LinkChange>,
    overviews: mpsc::Sender<OverviewRequest>,
    allowed: watch::Receiver<BTreeSet<PodEndpoint>>,
    installed: watch::Sender<BTreeSet<PodEndpoint>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    publisher: EventQueue,
    readiness: Readiness,
    metrics: NodeMetrics,
    task: JoinHandle<Result<(), Infallible>>,
}

impl Running {
    fn inheriting(endpoints: &[PodEndpoint]) -> Self {
        Self::start(endpoints, None)
    }

    /// Beside an earlier daemon, which has these endpoints in place.
    fn beside(endpoints: &[PodEndpoint], handover: Handover) -> Self {
        Self::start(endpoints, Some(handover))
    }

    fn start(endpoints: &[PodEndpoint], handover: Option<Handover>) -> Self {
        let endpoints: BTreeSet<PodEndpoint> = endpoints.iter().copied().collect();
        let (allowed_sender, allowed) = watch::channel(endpoints.clone());
        let (installed, installed_receiver) = watch::channel(endpoints);
        let (snapshots_sender, snapshots) = watch::channel(Arc::default());
        let (changes, changes_receiver) = mpsc::channel(16);
        let (calls, calls_receiver) = mpsc::channel(16);
        let (links, links_receiver) = mpsc::channel(16);
        let (overviews, overviews_receiver) = mpsc::channel(1);
        let (events, publisher) = pod_events::channel();
        let readiness = Readiness::new();
        let metrics = NodeMetrics::register(&mut Registry::default());
        let inspector = Arc::new(FakeInspector::default());
        let outputs = Outputs {
            allowed: allowed_sender,
            snapshots: snapshots_sender,
            events,
            metrics: metrics.clone(),
        };
        let manager = PodStateManager::new(
            ServingRules::default(),
            outputs,
            Arc::clone(&inspector) as Arc<dyn PodInspector>,
            readiness.register("watches synced"),
        );
        let task = tokio::spawn(manager.run(Inputs {
            changes: changes_receiver,
            calls: calls_receiver,
            installed: installed_receiver,
            links: links_receiver,
            overviews: overviews_receiver,
            handover,
        }));
        Self {
            inspector,
            changes,
            calls,
            links,
            overviews,
            allowed,
            installed,
            snapshots,
            publisher,
            readiness,
            metrics,
            task,
        }
    }

    /// The kernel shows these pods, each behind a link of its own, from the next look on.
    fn show(&self, pods: &[(&str, u32, Ipv4Addr)]) {
        let mut facts = self.inspector.facts.lock().unwrap();
        *facts = KernelFacts::default();
        for (uid, interface, address) in pods {
            let link = PodLink {
                interface: *interface,
                bridge_port: None,
                addresses: vec![*address],
            };
            facts.pods.insert((*uid).to_owned(), vec![link]);
            facts.links.insert(*interface, NodeLink::default());
        }
    }

    async fn add_pod(&self, uid: &str, address: Ipv4Addr) {
        let change = ObjectUpdate::Pod(Update::Object(
            ObjectKey::new("a", uid),
            Some(row(uid, address)),
        ));
        self.changes.send(change).await.unwrap();
    }

    /// Every kind has been listed.
    async fn list_all(&self) {
        for listed in [
            ObjectUpdate::Pod(Update::Listed),
            ObjectUpdate::Identity(Update::Listed),
            ObjectUpdate::Binding(Update::Listed),
            ObjectUpdate::Exception(Update::Listed),
            ObjectUpdate::Assigned(Update::Listed),
        ] {
            self.changes.send(listed).await.unwrap();
        }
    }

    async fn is_allowed(&mut self, endpoints: &[PodEndpoint]) {
        let expected: BTreeSet<PodEndpoint> = endpoints.iter().copied().collect();
        let allowed = self.allowed.wait_for(|allowed| *allowed == expected);
        allowed.await.unwrap();
    }

    /// Does what the interception engine does.
    fn install(&self) {
        self.installed.send_replace(self.allowed.borrow().clone());
    }

    async fn serves(&mut self, addresses: &[Ipv4Addr]) {
        let expected: BTreeSet<Ipv4Addr> = addresses.iter().copied().collect();
        let served = self.snapshots.wait_for(|snapshot| {
            let now: BTreeSet<Ipv4Addr> = snapshot.by_address.keys().copied().collect();
            now == expected
        });
        served.await.unwrap();
    }

    /// Every pod's name, state, and whether a reason is given.
    async fn overview(&self) -> Vec<(String, &'static str, bool)> {
        let (sender, overview) = tokio::sync::oneshot::channel();
        self.overviews.send(sender).await.unwrap();
        let shown = |one: PodOverview| {
            let name = one.context.caller.pod.name.clone();
            (name, one.state, one.reason.is_some())
        };
        overview.await.unwrap().into_iter().map(shown).collect()
    }

    fn serves_nobody(&self) -> bool {
        self.snapshots.borrow().by_address.is_empty()
    }
}

fn row(uid: &str, address: Ipv4Addr) -> NodePod {
    let pod = Pod {
        namespace: "a".into(),
        name: uid.into(),
        uid: uid.into(),
        selector: None,
        service_account: "default".into(),
        breaches: BTreeSet::new(),
        unserved: None,
    };
    NodePod {
        caller: CallingPod {
            pod,
            labels: BTreeMap::new(),
            completed: false,
        },
        addresses: vec![address],
    }
}

fn endpoint(interface: u32, address: Ipv4Addr) -> PodEndpoint {
    PodEndpoint {
        interface,
        address,
        bridge_port: None,
    }
}

#[tokio::test]
async fn a_pod_is_served_after_its_endpoint_was_installed() {
    within_limit(async {
        let mut running = Running::inheriting(&[]);
        running.show(&[("u", 7, A)]);
        running.add_pod("u", A).await;
        running.list_all().await;
        running.is_allowed(&[endpoint(7, A)]).await;
        assert!(running.serves_nobody(), "not before it is installed");
        running.install();
        running.serves(&[A]).await;
        assert_eq!(running.metrics.pods_attested.get(), 1);
        let snapshot = running.snapshots.borrow().clone();
        let link = snapshot.link_of("u", A).map(|link| link.index);
        assert_eq!((link, snapshot.link_of("v", A)), (Some(7), None));
    })
    .await;
}

#[tokio::test]
async fn a_pod_whose_link_changes_is_not_served_before_it_is_disallowed() {
    within_limit(async {
        let mut running = Running::inheriting(&[]);
        running.show(&[("u", 7, A)]);
        running.add_pod("u", A).await;
        running.list_all().await;
        running.is_allowed(&[endpoint(7, A)]).await;
        running.install();
        running.serves(&[A]).await;
        running.show(&[]);
        running
            .links
            .send(LinkChange::Changed(7, None))
            .await
            .unwrap();
        running.is_allowed(&[]).await;
        assert!(running.serves_nobody(), "taken from the snapshot first");
        running.show(&[("u", 8, A)]);
        running.is_allowed(&[endpoint(8, A)]).await;
    })
    .await;
}

#[tokio::test]
async fn a_change_during_a_look_is_not_overtaken_by_what_the_look_saw() {
    within_limit(async {
        let mut running = Running::inheriting(&[]);
        running.show(&[("u", 7, A)]);
        let inspector = Arc::clone(&running.inspector);
        let look_lasts = inspector.gate.write().await;
        running.add_pod("u", A).await;
        // The look has seen link 7 and has not returned; then the link goes.
        while Arc::strong_count(&inspector) < 4 {
            tokio::task::yield_now().await;
        }
        running.show(&[]);
        running
            .links
            .send(LinkChange::Changed(7, None))
            .await
            .unwrap();
        while running.links.capacity() < running.links.max_capacity() {
            tokio::task::yield_now().await;
        }
        drop(look_lasts);
        // A second pod shows that the look is over.
        running.show(&[("v", 9, B)]);
        running.add_pod("v", B).await;
        running.is_allowed(&[endpoint(9, B)]).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_inherited_stays_allowed_and_serves_nobody() {
    within_limit(async {
        let mut running = Running::inheriting(&[endpoint(7, A), endpoint(8, B)]);
        running.show(&[("u", 7, A), ("other", 8, B)]);
        running.add_pod("u", A).await;
        // A pod of which the kernel shows nothing yet: what was inherited may be its own.
        running.add_pod("w", B).await;
        running.list_all().await;
        running.serves(&[A]).await;
        assert_eq!(
            *running.allowed.borrow(),
            [endpoint(7, A), endpoint(8, B)].into()
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_look_is_tried_again_and_an_error_is_reported_once() {
    within_limit(async {
        let mut running = Running::inheriting(&[]);
        *running.inspector.fails.lock().unwrap() = true;
        running.show(&[("u", 7, B)]);
        running.add_pod("u", A).await;
        tokio::task::yield_now().await;
        *running.inspector.fails.lock().unwrap() = false;
        while running.metrics.attestation_errors.get() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let (reason, note) = next_warning(&mut running.publisher).unwrap();
        assert_eq!(reason, "NotAttested");
        assert!(
            note.contains("10.244.0.2") && note.contains("10.244.0.3"),
            "{note}"
        );
        running.show(&[("u", 7, A)]);
        running.calls.send(A).await.unwrap();
        running.is_allowed(&[endpoint(7, A)]).await;
        assert_eq!(next_warning(&mut running.publisher), None);
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_is_gone_is_not_served_and_the_end_of_the_watches_is_the_end() {
    within_limit(async {
        let mut running = Running::inheriting(&[]);
        running.show(&[("u", 7, A)]);
        running.add_pod("u", A).await;
        running.is_allowed(&[endpoint(7, A)]).await;
        running.install();
        assert!(!running.readiness.is_ready(), "no kind was listed yet");
        running.list_all().await;
        running.serves(&[A]).await;
        let gone = ObjectUpdate::Pod(Update::Object(ObjectKey::new("a", "u"), None));
        running.changes.send(gone).await.unwrap();
        running.serves(&[]).await;
        running.is_allowed(&[]).await;
        drop(running.changes);
        running.task.await.unwrap().unwrap();
    })
    .await;
}

/// From a part of the objects a pod may seem to get what all of them refuse it.
#[tokio::test]
async fn nobody_is_served_before_every_kind_was_listed() {
    within_limit(async {
        let mut running = Running::inheriting(&[endpoint(7, A)]);
        running.show(&[("u", 7, A), ("v", 9, B)]);
        running.add_pod("u", A).await;
        running.add_pod("v", B).await;
        for kind in [
            ObjectUpdate::Pod(Update::Listed),
            ObjectUpdate::Identity(Update::Listed),
            ObjectUpdate::Binding(Update::Listed),
            ObjectUpdate::Assigned(Update::Listed),
        ] {
            running.changes.send(kind).await.unwrap();
        }
        running.is_allowed(&[endpoint(7, A), endpoint(9, B)]).await;
        running.install();
        // One that was handed in after the installed endpoints shows that they were taken note of.
        running.links.send(LinkChange::Lost).await.unwrap();
        while running.links.capacity() < running.links.max_capacity() {
            tokio::task::yield_now().await;
        }
        assert!(running.serves_nobody(), "exceptions are not known");
        running.list_all().await;
        running.serves(&[A, B]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_earlier_daemon_is_followed_when_every_pod_was_looked_at() {
    within_limit(async {
        let (handover, mut requests) = Handover::new(Box::pin(std::future::pending()));
        let mut running = Running::beside(&[endpoint(7, A)], handover);
        running.show(&[("u", 7, A), ("v", 8, B)]);
        let gate = Arc::clone(&running.inspector);
        let closed = gate.gate.write().await;
        running.add_pod("u", A).await;
        running.add_pod("v", B).await;
        running.list_all().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(requests.try_recv().is_err(), "nobody was looked at");
        drop(closed);
        let answer = requests.await.unwrap();
        assert!(running.snapshots.borrow().by_address.is_empty());
        answer.send([endpoint(7, A)].into()).unwrap();
        running.is_allowed(&[endpoint(7, A), endpoint(8, B)]).await;
        running.install();
        running.serves(&[A, B]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_daemon_added_until_the_end_stays_until_its_pod_was_looked_at() {
    within_limit(async {
        let (handover, requests) = Handover::new(Box::pin(std::future::pending()));
        let mut running = Running::beside(&[], handover);
        running.list_all().await;
        let answer = requests.await.unwrap();
        // The earlier daemon knew of B's pod first; and A's is gone.
        running.show(&[("w", 7, A), ("v", 8, B)]);
        let gate = Arc::clone(&running.inspector);
        let closed = gate.gate.write().await;
        running.add_pod("v", B).await;
        answer
            .send([endpoint(7, A), endpoint(8, B)].into())
            .unwrap();
        running.is_allowed(&[]).await;
        drop(closed);
        running.is_allowed(&[endpoint(8, B)]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_earlier_daemon_that_ends_is_followed_at_once() {
    within_limit(async {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let ended = Box::pin(async move {
            let _ended = ended.await;
        });
        let (handover, mut requests) = Handover::new(ended);
        let mut running = Running::beside(&[endpoint(7, A)], handover);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(requests.try_recv().is_err());
        drop(end);
        let answer = requests.await.unwrap();
        answer.send([endpoint(8, B)].into()).unwrap();
        running.is_allowed(&[endpoint(7, A), endpoint(8, B)]).await;
    })
    .await;
}

#[tokio::test]
async fn the_overview_says_of_each_pod_whether_it_is_served_and_why_not() {
    within_limit(async {
        let mut running = Running::inheriting(&[]);
        running.show(&[("one", 7, A), ("two", 8, A)]);
        running.list_all().await;
        assert_eq!(running.overview().await, []);
        running.add_pod("one", A).await;
        running.is_allowed(&[endpoint(7, A)]).await;
        let one = |state, why| ("one".to_owned(), state, why);
        assert_eq!(running.overview().await, [one("Installing", true)]);
        running.install();
        running.serves(&[A]).await;
        assert_eq!(running.overview().await, [one("Served", false)]);
        running.add_pod("two", A).await;
        running.serves(&[]).await;
        let two = ("two".to_owned(), "NotAttested", true);
        assert_eq!(running.overview().await, [one("NotAttested", true), two]);
    })
    .await;
}
