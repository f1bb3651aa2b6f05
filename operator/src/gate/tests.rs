//! The gate between real clients and a real server on the loopback.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use podid_azure::{ArmCall, ArmGate, Operation};
use podid_core::arm_budget::CallPriority;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::*;
use crate::leader::LeadershipSender;

const PATH: &str = "/api/v1/namespaces/shop/configmaps";

/// A server that answers each request with the next status of a list, and from its end on with 200.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `on_request` is called with each request before it is answered.
    async fn start(
        statuses: &[StatusCode],
        on_request: impl Fn(&str) + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(statuses, usize::MAX, on_request).await
    }

    /// One that answers so many requests and no more.
    async fn start_silent_after(answers: usize) -> Self {
        Self::start_with(&[], answers, |_| ()).await
    }

    async fn start_with(
        statuses: &[StatusCode],
        answers: usize,
        on_request: impl Fn(&str) + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, statuses) = (Arc::clone(&seen), statuses.to_vec());
        let answer = move |request: Request| async move {
            let what = format!("{} {}", request.method(), request.uri().path());
            on_request(&what);
            let count = {
                let mut log = log.lock().unwrap();
                log.push(what);
                log.len()
            };
            if count > answers {
                std::future::pending::<()>().await;
            }
            let status = statuses.get(count - 1).copied();
            config_map(status.unwrap_or(StatusCode::OK))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    fn client(&self, gate: Gate) -> Client {
        podid_runtime::process::init();
        ClusterAccess::at(&self.url).client(gate).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn config_map(status: StatusCode) -> Response {
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}"#;
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A gate, whether its replica leads, and what it has counted.
fn gate(leads: bool) -> (Gate, LeadershipSender, Registry) {
    let (sender, leadership) = Leadership::fixed(leads);
    let mut registry = Registry::default();
    let gate = Gate::new(leadership, GateMetrics::register(&mut registry));
    (gate, sender, registry)
}

fn counted(registry: &Registry) -> Vec<String> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("calls_total"));
    let lines = lines.filter(|line| !line.ends_with(" 0"));
    let mut counts: Vec<_> = lines.map(str::to_owned).collect();
    counts.sort();
    counts
}

fn config_maps(client: Client) -> Api<ConfigMap> {
    Api::namespaced(client, "shop")
}

async fn patch(api: &Api<ConfigMap>) -> Result<ConfigMap, kube::Error> {
    let patch = serde_json::json!({"data": {"a": "b"}});
    api.patch("web", &PatchParams::default(), &Patch::Merge(patch))
        .await
}

/// The text that a refused write ends with.
fn refusal(error: &kube::Error) -> String {
    assert!(matches!(error, kube::Error::Service(_)), "{error:?}");
    podid_runtime::process::chain(error)
}

#[tokio::test]
async fn a_follower_reads_and_none_of_its_writes_leaves() {
    let server = Server::start(&[], |_| ()).await;
    let (gate, _leads, registry) = gate(false);
    let api = config_maps(server.client(gate));

    api.get("web").await.unwrap();
    let (post, delete) = (PostParams::default(), DeleteParams::default());
    let object = ConfigMap::default();
    let refused = [
        ("PATCH", patch(&api).await.unwrap_err()),
        ("POST", api.create(&post, &object).await.unwrap_err()),
        ("DELETE", api.delete("web", &delete).await.unwrap_err()),
    ];
    for (method, error) in refused {
        let text = refusal(&error);
        assert!(text.contains(&format!("{method} {PATH}")), "{text}");
        assert!(text.contains("this replica does not lead"), "{text}");
    }
    assert_eq!(server.seen(), [format!("GET {PATH}/web")]);
    assert_eq!(
        counted(&registry),
        [
            r#"calls_total{destination="Cluster",kind="Read",outcome="Done"} 1"#,
            r#"calls_total{destination="Cluster",kind="Write",outcome="Refused"} 3"#,
        ]
    );
}

#[tokio::test]
async fn the_leader_reads_and_writes_and_its_repeats_are_counted() {
    let server = Server::start(&[StatusCode::SERVICE_UNAVAILABLE], |_| ()).await;
    let (gate, _leads, registry) = gate(true);
    let api = config_maps(server.client(gate));
    patch(&api).await.unwrap();
    api.get("web").await.unwrap();
    let patched = format!("PATCH {PATH}/web");
    assert_eq!(
        server.seen(),
        [patched.clone(), patched, format!("GET {PATH}/web")]
    );
    assert_eq!(
        counted(&registry),
        [
            r#"calls_total{destination="Cluster",kind="Read",outcome="Done"} 1"#,
            r#"calls_total{destination="Cluster",kind="Write",outcome="Done"} 2"#,
        ]
    );
}

#[tokio::test]
async fn leadership_lost_between_two_attempts_stops_the_second() {
    let (gate, leads, _registry) = gate(true);
    // The first answer says "again", and leadership is lost before it arrives.
    let server = Server::start(&[StatusCode::SERVICE_UNAVAILABLE], {
        let leads = leads.clone();
        move |_| {
            leads.lose();
        }
    })
    .await;
    let error = patch(&config_maps(server.client(gate))).await.unwrap_err();
    assert!(refusal(&error).contains("does not lead"), "{error:?}");
    assert_eq!(server.seen(), [format!("PATCH {PATH}/web")]);
}

#[tokio::test]
async fn a_hook_sees_what_is_about_to_leave_and_may_refuse_it() {
    let server = Server::start(&[], |_| ()).await;
    let (gate, leads, _registry) = gate(true);
    let calls: Arc<Mutex<Vec<OutgoingCall>>> = Arc::default();
    let log = Arc::clone(&calls);
    let gate = gate.with_hook(Some(Arc::new(move |call| {
        log.lock().unwrap().push(call.clone());
        GateDecision::Refuse(GateRefusal {
            reason: "the budget is spent".into(),
            retry_after: None,
            next_step: "wait".into(),
        })
    })));
    let api = config_maps(server.client(gate));
    let error = patch(&api).await.unwrap_err();
    assert!(
        refusal(&error).ends_with("the budget is spent"),
        "{error:?}"
    );
    // What leadership forbids is not asked for.
    leads.lose();
    patch(&api).await.unwrap_err();
    let seen = OutgoingCall {
        kind: CallKind::Write,
        method: Method::PATCH,
        subject: CallSubject::Cluster {
            path: format!("{PATH}/web"),
        },
    };
    assert_eq!(*calls.lock().unwrap(), [seen]);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_cut_call_has_its_effect_and_looks_like_a_lost_answer() {
    let server = Server::start(&[], |_| ()).await;
    let (gate, _leads, _registry) = gate(true);
    let gate = gate.with_hook(Some(Arc::new(|_| GateDecision::LoseAnswer)));
    let error = patch(&config_maps(server.client(gate))).await.unwrap_err();
    assert_eq!(server.seen(), [format!("PATCH {PATH}/web")]);
    let kube::Error::Service(source) = &error else {
        panic!("{error:?}");
    };
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_write_on_a_connection_gone_dead_is_given_up_and_not_repeated() {
    let server = Server::start_silent_after(1).await;
    let (gate, _leads, _registry) = gate(true);
    let api = config_maps(server.client(gate));
    api.get("web").await.unwrap();
    // The connection waits in the pool; now nothing comes over it any more.
    tokio::time::pause();
    let text = refusal(&patch(&api).await.unwrap_err());
    let said = format!("no whole answer to PATCH {PATH}/web within 45 s");
    assert!(text.contains(&said), "{text}");
    let seen = [format!("GET {PATH}/web"), format!("PATCH {PATH}/web")];
    assert_eq!(server.seen(), seen);
}

#[tokio::test]
async fn the_lease_is_written_before_anybody_leads() {
    let server = Server::start(&[], |_| ()).await;
    podid_runtime::process::init();
    let access = ClusterAccess::at(&server.url);
    let client = access.lease_client(Duration::from_secs(5)).unwrap();
    patch(&config_maps(client)).await.unwrap();
    assert_eq!(server.seen(), [format!("PATCH {PATH}/web")]);
}

#[test]
fn azure_is_read_by_everybody_and_written_by_the_leader() {
    let (gate, leads, registry) = gate(false);
    let resource = "/subscriptions/s/resourceGroups/g";
    let admit = |method: &Method| {
        ArmGate::admit(
            &gate,
            &ArmCall {
                operation: Operation::PutIdentity,
                resource,
                method,
            },
        )
    };
    assert!(matches!(admit(&Method::GET), GateDecision::Send));
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let GateDecision::Refuse(refusal) = admit(&method) else {
            panic!("{method} must be refused");
        };
        let text = refusal.reason.to_string();
        assert!(text.starts_with(&format!("{method} {resource} ")), "{text}");
        assert!(text.contains("this replica does not lead"), "{text}");
        assert!(refusal.reason.source().is_none());
        assert_eq!(refusal.retry_after, None);
    }
    leads.hold_for_ever();
    assert!(matches!(admit(&Method::PUT), GateDecision::Send));
    assert_eq!(
        counted(&registry),
        [
            r#"calls_total{destination="Azure",kind="Read",outcome="Done"} 1"#,
            r#"calls_total{destination="Azure",kind="Write",outcome="Done"} 1"#,
            r#"calls_total{destination="Azure",kind="Write",outcome="Refused"} 3"#,
        ]
    );
}

/// A call to Azure as it comes to the gate.
fn admit(gate: &Gate, operation: Operation, method: &Method, resource: &str) -> GateDecision {
    let call = ArmCall {
        operation,
        resource,
        method,
    };
    ArmGate::admit(gate, &call)
}

const IDENTITY: &str = "/subscriptions/S/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/web";

/// The gate of a replica that has led for long.
async fn gate_with_full_budget() -> (Gate, LeadershipSender, Registry) {
    let gate = gate(true);
    gate.0.budget().with(|_, _| ());
    tokio::time::advance(Duration::from_secs(3600)).await;
    gate
}

/// How many such calls leave until one is held back, and how long that one waits.
fn until_held_back(gate: &Gate, operation: Operation, method: &Method) -> (u32, Duration) {
    for made in 0..10_000 {
        match admit(gate, operation, method, IDENTITY) {
            GateDecision::Send => {}
            GateDecision::Refuse(refusal) => {
                return (made, refusal.retry_after.expect("it is only held back"));
            }
            GateDecision::LoseAnswer => panic!("nobody asked for it"),
        }
    }
    panic!("none is held back");
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_azures_limits_are_held_back_and_counted() {
    let (gate, _leads, registry) = gate_with_full_budget().await;
    let (made, wait) = until_held_back(&gate, Operation::GetIdentity, &Method::GET);
    assert!((100..250).contains(&made), "{made}");
    tokio::time::advance(wait).await;
    let read = admit(&gate, Operation::GetIdentity, &Method::GET, IDENTITY);
    assert!(matches!(read, GateDecision::Send), "{read:?}");
    let other = IDENTITY.replace("/S/", "/other/");
    let read = admit(&gate, Operation::GetIdentity, &Method::GET, &other);
    assert!(matches!(read, GateDecision::Send), "{read:?}");
    let GateDecision::Refuse(refusal) = admit(
        &gate,
        Operation::GetIdentity,
        &Method::GET,
        &IDENTITY.to_lowercase(),
    ) else {
        panic!("letter case makes no other subscription");
    };
    let text = refusal.reason.to_string();
    assert!(text.contains("was not sent yet"), "{text}");
    assert_eq!(
        counted(&registry),
        [
            format!(
                r#"calls_total{{destination="Azure",kind="Read",outcome="Done"}} {}"#,
                made + 2
            ),
            r#"calls_total{destination="Azure",kind="Read",outcome="HeldBack"} 2"#.to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_leaves_calls_to_others() {
    let (gate, _leads, _registry) = gate_with_full_budget().await;
    let read = || until_held_back(&gate, Operation::GetComputeIdentity, &Method::GET).0;
    let background = with_priority(CallPriority::Background, async { read() }).await;
    let awaited = read();
    assert!(background > 100 && awaited >= 50, "{background} {awaited}");
}

/// Fault 3 of Azure: its identity service throttles beyond 2 writes a second in a subscription.
#[tokio::test(start_paused = true)]
async fn identities_are_made_as_fast_as_azure_makes_them() {
    let (gate, _leads, _registry) = gate_with_full_budget().await;
    let mut made = 0;
    for _ in 0..200 {
        made += until_held_back(&gate, Operation::PutIdentity, &Method::PUT).0;
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert!((60..=80).contains(&made), "{made} in 20 seconds");
    for (operation, method) in [
        (Operation::PutRoleAssignment, Method::PUT),
        (Operation::PatchComputeIdentity, Method::PATCH),
        (Operation::DeleteIdentity, Method::DELETE),
        (Operation::DeleteRoleAssignment, Method::DELETE),
    ] {
        let sent = admit(&gate, operation, &method, IDENTITY);
        assert!(matches!(sent, GateDecision::Send), "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_throttled_subscription_is_left_alone() {
    let (gate, _leads, _registry) = gate_with_full_budget().await;
    let asked = Duration::from_secs(60);
    let refuse = |code: &str| {
        let reply = podid_azure::Reply {
            retry_after: Some(asked),
            ..podid_azure::Reply::new(429, code, "Slow down.")
        };
        let call = ArmCall {
            operation: Operation::PatchComputeIdentity,
            resource: IDENTITY,
            method: &Method::PATCH,
        };
        ArmGate::refused(&gate, &call, &reply);
    };
    let patch = || {
        admit(
            &gate,
            Operation::PatchComputeIdentity,
            &Method::PATCH,
            IDENTITY,
        )
    };
    refuse("OperationNotAllowed");
    assert!(matches!(patch(), GateDecision::Send));
    refuse("SubscriptionRequestsThrottled");
    let GateDecision::Refuse(refusal) = patch() else {
        panic!("Azure asked for a wait");
    };
    assert!(refusal.retry_after >= Some(asked), "{refusal:?}");
    let read = admit(&gate, Operation::GetIdentity, &Method::GET, IDENTITY);
    assert!(matches!(read, GateDecision::Send), "{read:?}");
    tokio::time::advance(refusal.retry_after.expect("a time")).await;
    assert!(matches!(patch(), GateDecision::Send));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_begins_to_lead_does_not_know_what_the_one_before_has_used() {
    let (gate, leads, _registry) = gate(false);
    gate.budget().with(|_, _| ());
    tokio::time::advance(Duration::from_secs(3600)).await;
    leads.hold_for_ever();
    let read = || until_held_back(&gate, Operation::GetIdentity, &Method::GET).0;
    let first = read();
    assert!((1..=50).contains(&first), "{first}");
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(read() > 100, "it has led for long now");
}
