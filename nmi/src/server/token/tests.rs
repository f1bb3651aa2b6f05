use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::Request;
use podid_azure::{ImdsError, ImdsIdentity, ImdsTokenRequest, Secret};
use podid_core::arm::ArmId;
use podid_core::assigned_identity::{AssignedIdentity, AssignmentFailure, AssignmentState};
use podid_core::binding::{AzureIdentityType, Binding, BindingScope, Origin, Pod};
use podid_core::net_raw::Breach;
use podid_core::net_raw::NetRaw;
use podid_core::resolve::{CallingPod, Exception};
use podid_index::ObjectKey;
use podid_index::events::EventQueue;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::*;
use crate::attest::{NodeLink, ProvedLink};
use crate::pod_context::ProfileClientIds;
use crate::pod_events::{self, next_warning};
use crate::snapshot::{Served, Snapshot};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
const TARGET: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";
const RESOURCE_ID: &str = "/subscriptions/s/resourceGroups/g/providers/\
    Microsoft.ManagedIdentity/userAssignedIdentities/one";

/// A metadata service that gives prepared answers, then tokens, and remembers what it was asked.
#[derive(Debug)]
struct FakeImds {
    /// Client id of the tokens it gives.
    owner: Mutex<String>,
    prepared: Mutex<VecDeque<ImdsError>>,
    asked: Mutex<Vec<ImdsIdentity>>,
}

#[async_trait]
impl ImdsTokens for FakeImds {
    async fn token(&self, request: &ImdsTokenRequest) -> Result<ImdsToken, ImdsError> {
        self.asked.lock().unwrap().push(request.identity.clone());
        match self.prepared.lock().unwrap().pop_front() {
            Some(error) => Err(error),
            None => Ok(ImdsToken {
                access_token: Secret::new("a.b.c"),
                client_id: self.owner.lock().unwrap().clone(),
                expires_in: 100,
                expires_on: 1_000_100,
                ext_expires_in: Some(100),
                not_before: Some(1_000_000),
                resource: request.resource.clone(),
                token_type: "Bearer".into(),
            }),
        }
    }
}

fn entry(assigned: bool) -> PodContext {
    let pod = Pod {
        namespace: "a".into(),
        name: "app".into(),
        uid: "uid-1".into(),
        selector: Some("s".into()),
        service_account: "default".into(),
        breaches: [].into(),
    };
    let identity = AzureIdentity {
        namespace: "a".into(),
        name: "one".into(),
        kind: AzureIdentityType::Managed,
        client_id: "client-one".into(),
        resource_id: ArmId::new(RESOURCE_ID),
        principal_id: None,
        namespaced: true,
        origin: Origin::Profile,
        net_raw: NetRaw::Enforce,
    };
    let binding = Binding {
        namespace: "a".into(),
        name: "b".into(),
        identity: "one".into(),
        selector: "s".into(),
        service_accounts: [].into(),
        origin: Origin::Profile,
    };
    let state = if assigned {
        AssignmentState::Assigned
    } else {
        AssignmentState::Created
    };
    let assignment = AssignedIdentity {
        pod_uid: "uid-1".into(),
        node: "n".into(),
        identity: ("a".into(), "one".into()),
        resource_id: None,
        client_id: String::new(),
        binding: (String::new(), String::new()),
        state,
    };
    PodContext {
        caller: CallingPod {
            pod,
            labels: [].into(),
            host_network: false,
            completed: false,
        },
        bindings: vec![binding],
        identities: vec![identity],
        exceptions: vec![],
        assignments: vec![assignment],
        assigned: assigned
            .then(|| (ObjectKey::new("a", "one"), Instant::now()))
            .into_iter()
            .collect(),
        scope: BindingScope::Cluster,
        of_profiles: ProfileClientIds::default(),
    }
}

fn failed() -> PodContext {
    let mut entry = entry(false);
    entry.assignments[0].state = AssignmentState::Failed(AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant it".into(),
    });
    entry
}

fn snapshot(entries: &[PodContext]) -> Arc<Snapshot> {
    let by_address = entries
        .iter()
        .map(|entry| {
            let entry = Arc::new(entry.clone());
            (
                ADDRESS,
                Served {
                    pod: entry,
                    link: link(),
                },
            )
        })
        .collect();
    Arc::new(Snapshot { by_address })
}

/// Links that hold until somebody takes one.
#[derive(Debug)]
struct FakeLinks(AtomicBool);

#[async_trait]
impl Links for FakeLinks {
    async fn hold(&self, asked: &ProvedLink) -> bool {
        assert_eq!(*asked, link());
        self.0.load(Ordering::Relaxed)
    }
}

fn link() -> ProvedLink {
    ProvedLink {
        index: 7,
        was: NodeLink::default(),
    }
}

struct Bench {
    service: Arc<Service>,
    links: Arc<FakeLinks>,
    imds: Arc<FakeImds>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    calls: mpsc::Receiver<Ipv4Addr>,
    publisher: EventQueue,
}

impl Bench {
    /// The next answers of the metadata service.
    fn prepare(&self, answers: impl IntoIterator<Item = ImdsError>) {
        self.imds.prepared.lock().unwrap().extend(answers);
    }

    fn asked(&self) -> usize {
        self.imds.asked.lock().unwrap().len()
    }
}

fn bench(entries: &[PodContext]) -> Bench {
    let imds = Arc::new(FakeImds {
        owner: Mutex::new("client-one".into()),
        prepared: Mutex::default(),
        asked: Mutex::default(),
    });
    let (snapshots, receiver) = watch::channel(snapshot(entries));
    let (sender, calls) = mpsc::channel(4);
    let (reports, publisher) = pod_events::channel();
    let links = Arc::new(FakeLinks(AtomicBool::new(true)));
    let service = Service {
        snapshots: receiver,
        imds: Arc::clone(&imds) as Arc<dyn ImdsTokens>,
        calls: sender,
        links: Arc::clone(&links) as Arc<dyn Links>,
        waits: Waits {
            assign: Duration::from_secs(20),
            attest: Duration::from_secs(5),
        },
        lag: ImdsLag::default(),
        reports,
        metrics: Metrics::register(&mut Registry::default()),
    };
    Bench {
        service: Arc::new(service),
        links,
        imds,
        snapshots,
        calls,
        publisher,
    }
}

fn peer(uid: Option<&str>) -> Peer {
    Peer {
        address: ADDRESS,
        uid: uid.map(str::to_owned),
    }
}

async fn ask(service: &Service, uid: Option<&str>, target: &str) -> (u16, serde_json::Value) {
    let request = Request::get(target)
        .header("Metadata", "true")
        .header("Host", "169.254.169.254")
        .body(())
        .unwrap();
    let response = service.answer(&peer(uid), &request.into_parts().0).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn not_found() -> ImdsError {
    ImdsError::Refused {
        status: 400,
        error: "invalid_request".into(),
        description: "Identity not found".into(),
        retry_after: None,
    }
}

#[tokio::test]
async fn no_token_leaves_over_a_link_that_is_not_the_proved_one() {
    let mut bench = bench(&[entry(true)]);
    assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 200);
    bench.links.0.store(false, Ordering::Relaxed);
    let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
    assert_eq!((status, body.get("access_token")), (503, None));
    assert_eq!(bench.calls.try_recv(), Ok(ADDRESS), "it is looked at again");
}

#[tokio::test]
async fn a_pod_gets_its_own_identitys_token() {
    let bench = bench(&[entry(true)]);
    let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
    assert_eq!(
        (status, body["access_token"].as_str()),
        (200, Some("a.b.c"))
    );
    assert_eq!(
        *bench.imds.asked.lock().unwrap(),
        [ImdsIdentity::ResourceId(RESOURCE_ID.into())]
    );
}

#[tokio::test]
async fn a_token_is_handed_on_only_if_it_belongs_to_the_identitys_client_id() {
    let bench = bench(&[entry(true)]);
    let table = [
        ("CLIENT-ONE", 200, None),
        ("client-two", 400, Some("Identity not found")),
        ("", 400, Some("Identity not found")),
    ];
    for (owner, expected, description) in table {
        *bench.imds.owner.lock().unwrap() = owner.to_owned();
        let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(status, expected, "{owner:?}");
        assert_eq!(body["error_description"].as_str(), description, "{owner:?}");
        assert_eq!(body["access_token"].is_null(), expected != 200, "{owner:?}");
    }
}

#[tokio::test]
async fn a_wrong_client_id_is_told_in_an_event() {
    let mut bench = bench(&[entry(true)]);
    *bench.imds.owner.lock().unwrap() = "client-two".to_owned();
    for _ in 0..3 {
        ask(&bench.service, Some("uid-1"), TARGET).await;
    }
    let (reason, note) = next_warning(&mut bench.publisher).unwrap();
    assert_eq!(reason, "ClientIdMismatch");
    assert!(note.contains("has clientID client-one, but"), "{note}");
    assert_eq!(next_warning(&mut bench.publisher), None, "said once");
}

#[test]
fn a_wrong_client_id_is_refused_with_what_to_correct() {
    let mut token = ImdsToken {
        access_token: Secret::new("a.b.c"),
        client_id: "client-two".into(),
        expires_in: 100,
        expires_on: 1_000_100,
        ext_expires_in: None,
        not_before: None,
        resource: String::new(),
        token_type: "Bearer".into(),
    };
    let identity = &entry(true).identities[0];
    let denial = check_owner(&token, identity).err().unwrap();
    assert_eq!(denial.word, "ClientIdMismatch");
    for part in ["a/one", "client-one", "client-two", "correct spec.clientID"] {
        assert!(denial.reason.contains(part), "{}", denial.reason);
    }
    token.client_id = "client-one".into();
    assert!(check_owner(&token, identity).is_ok());
}

#[tokio::test]
async fn a_connection_stays_with_the_pod_that_opened_it() {
    let bench = bench(&[entry(true)]);
    let (status, _) = ask(&bench.service, Some("an earlier pod"), TARGET).await;
    assert_eq!(status, 503);
    assert_eq!(*bench.imds.asked.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_its_assignment_and_no_longer_than_needed() {
    let bench = bench(&[entry(false)]);
    let service = Arc::clone(&bench.service);
    let asking = tokio::spawn(async move { ask(&service, Some("uid-1"), TARGET).await });
    tokio::task::yield_now().await;
    let before = Instant::now();
    bench.snapshots.send_replace(snapshot(&[entry(true)]));
    assert_eq!(asking.await.unwrap().0, 200);
    assert_eq!(before.elapsed(), Duration::ZERO, "no poll, no pause");
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_does_not_come_is_a_retryable_answer() {
    let bench = bench(&[entry(false)]);
    let before = Instant::now();
    let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
    assert_eq!(
        (status, body["error"].as_str()),
        (503, Some("service_unavailable"))
    );
    assert_eq!(before.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_the_metadata_service_is_bridged() {
    let bench = bench(&[entry(true)]);
    bench.prepare([not_found(), not_found()]);
    assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 200);
    assert_eq!(bench.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lag_beyond_the_bound_is_a_retryable_answer() {
    let bench = bench(&[entry(true)]);
    bench.prepare((0..100).map(|_| not_found()));
    let before = Instant::now();
    assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 503);
    assert_eq!(before.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_the_metadata_service_has_lost_is_a_no_at_once() {
    let mut bench = bench(&[entry(true)]);
    tokio::time::advance(LAG).await;
    let before = Instant::now();
    for asked in 1..=3 {
        bench.prepare([not_found()]);
        let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(
            (status, body["error_description"].as_str()),
            (400, Some("Identity not found"))
        );
        assert_eq!(bench.asked(), asked, "nothing is asked twice");
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    let (reason, note) = next_warning(&mut bench.publisher).unwrap();
    assert_eq!(reason, "UnknownToImds");
    assert!(
        note.contains("a/one") && note.contains(RESOURCE_ID),
        "{note}"
    );
    assert_eq!(next_warning(&mut bench.publisher), None, "said once");
}

#[tokio::test(start_paused = true)]
async fn five_clients_that_try_for_minutes_share_one_question() {
    let bench = bench(&[entry(true)]);
    bench.prepare((0..1000).map(|_| not_found()));
    let start = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let service = Arc::clone(&bench.service);
        clients.spawn(async move {
            while ask(&service, Some("uid-1"), TARGET).await.0 == 503 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    clients.join_all().await;
    assert_eq!(start.elapsed(), LAG, "then the answer is final for all");
    // One each when they begin and at most when they try again; what they wait for is shared.
    assert!(bench.asked() < 60, "{} requests", bench.asked());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_ends_when_its_assignment_fails() {
    for assigned in [false, true] {
        let bench = bench(&[entry(assigned)]);
        bench.prepare((0..100).map(|_| not_found()));
        let service = Arc::clone(&bench.service);
        let asking = tokio::spawn(async move { ask(&service, Some("uid-1"), TARGET).await });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!asking.is_finished(), "it waits");
        let before = Instant::now();
        bench.snapshots.send_replace(snapshot(&[failed()]));
        let (status, body) = asking.await.unwrap();
        assert_eq!(
            (status, body["error_description"].as_str()),
            (400, Some("Identity not found"))
        );
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_assignment_is_a_no_at_once() {
    let mut bench = bench(&[failed()]);
    let before = Instant::now();
    let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
    assert_eq!(
        (status, body["error_description"].as_str()),
        (400, Some("Identity not found"))
    );
    assert_eq!((bench.asked(), before.elapsed()), (0, Duration::ZERO));
    assert_eq!(
        next_warning(&mut bench.publisher),
        None,
        "the operator tells of it"
    );
}

#[tokio::test]
async fn a_pod_that_breaks_its_profiles_rule_is_refused_in_words() {
    let mut rebel = entry(true);
    rebel.caller.pod.breaches = [Breach::KeepsNetRaw("app".into())].into();
    let mut bench = bench(&[rebel]);
    for _ in 0..3 {
        let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(status, 400);
        let text = body["error_description"].as_str().unwrap();
        assert!(text.contains("netRaw: Enforce"), "{text}");
    }
    assert_eq!(bench.asked(), 0);
    let (reason, note) = next_warning(&mut bench.publisher).unwrap();
    assert_eq!(reason, "BreaksNetRawRule");
    for part in ["container app", "{capabilities: {drop: [NET_RAW]}}"] {
        assert!(note.contains(part), "{note}");
    }
    assert_eq!(next_warning(&mut bench.publisher), None, "said once");
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_refused_when_the_pod_begins_to_break_the_rule() {
    let bench = bench(&[entry(true)]);
    bench.prepare([not_found()]);
    let service = Arc::clone(&bench.service);
    let asking = tokio::spawn(async move { ask(&service, Some("uid-1"), TARGET).await });
    tokio::task::yield_now().await;
    let mut rebel = entry(true);
    rebel.caller.pod.breaches = [Breach::Privileged("debugger".into())].into();
    bench.snapshots.send_replace(snapshot(&[rebel]));
    assert_eq!(asking.await.unwrap().0, 400);
    assert_eq!(bench.asked(), 1, "its token is not asked for any more");
}

#[tokio::test]
async fn an_identity_is_known_by_its_object_id() {
    let mut known = entry(true);
    known.identities[0].principal_id = Some("object-one".into());
    let bench = bench(&[known]);
    let of = |id: &str| format!("{TARGET}&object_id={id}");
    let (status, body) = ask(&bench.service, Some("uid-1"), &of("OBJECT-one")).await;
    assert_eq!(
        (status, body["access_token"].as_str()),
        (200, Some("a.b.c"))
    );
    assert_eq!(
        *bench.imds.asked.lock().unwrap(),
        [ImdsIdentity::ResourceId(RESOURCE_ID.into())]
    );
    assert_eq!(
        ask(&bench.service, Some("uid-1"), &of("another")).await.0,
        400
    );
    *bench.imds.owner.lock().unwrap() = "client-two".into();
    assert_eq!(
        ask(&bench.service, Some("uid-1"), &of("object-one"))
            .await
            .0,
        400,
        "the token must be that identity's"
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_served_is_answered_at_once() {
    let bench = bench(&[entry(true)]);
    let before = Instant::now();
    let target = format!("{TARGET}&client_id=foreign");
    let (status, body) = ask(&bench.service, Some("uid-1"), &target).await;
    assert_eq!(
        (status, body["error_description"].as_str()),
        (400, Some("Identity not found"))
    );
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// A pod that an exception lets through to the node's own identities.
fn excepted() -> PodContext {
    let mut excepted = entry(true);
    excepted.caller.labels = [("app".to_owned(), "x".to_owned())].into();
    excepted.exceptions = vec![Exception {
        namespace: "a".into(),
        name: "e".into(),
        labels: excepted.caller.labels.clone(),
    }];
    excepted
}

#[tokio::test]
async fn an_excepted_pod_gets_what_the_node_would() {
    let bench = bench(&[excepted()]);
    assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 200);
    assert_eq!(*bench.imds.asked.lock().unwrap(), [ImdsIdentity::Unnamed]);
}

#[tokio::test]
async fn an_excepted_pod_gets_no_identity_of_a_profile() {
    let excepted = excepted();
    excepted.of_profiles.add("client-one");
    let bench = bench(&[excepted]);
    for target in [TARGET.to_owned(), format!("{TARGET}&client_id=CLIENT-ONE")] {
        let (status, body) = ask(&bench.service, Some("uid-1"), &target).await;
        assert_eq!(
            (status, body["error_description"].as_str()),
            (400, Some("Identity not found"))
        );
    }
    bench.imds.owner.lock().unwrap().clear();
    let (status, _) = ask(&bench.service, Some("uid-1"), TARGET).await;
    assert_eq!(status, 400, "whose token it is, nobody knows");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_never_gets_a_token_and_is_looked_at() {
    let mut bench = bench(&[entry(true)]);
    let (status, _) = ask(&bench.service, None, TARGET).await;
    assert_eq!(status, 503);
    assert_eq!(bench.calls.recv().await, Some(ADDRESS));
    assert_eq!(*bench.imds.asked.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_strangers_probe_is_answered_at_once() {
    let bench = bench(&[]);
    let before = Instant::now();
    let request = Request::get("/metadata/identity/oauth2/token")
        .header("Host", "169.254.169.254")
        .body(())
        .unwrap();
    let response = bench
        .service
        .answer(&peer(None), &request.into_parts().0)
        .await;
    assert_eq!(
        (response.status().as_u16(), before.elapsed()),
        (400, Duration::ZERO)
    );
}

#[tokio::test]
async fn errors_of_the_metadata_service_are_passed_on() {
    let throttled = ImdsError::Refused {
        status: 429,
        error: "invalid_request".into(),
        description: "Temporarily throttled, too many requests".into(),
        retry_after: None,
    };
    let bench = bench(&[entry(true)]);
    bench.imds.prepared.lock().unwrap().push_back(throttled);
    let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
    assert_eq!(status, 429);
    assert_eq!(
        body["error_description"],
        "Temporarily throttled, too many requests"
    );
}
