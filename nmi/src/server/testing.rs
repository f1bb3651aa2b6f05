//! A service whose metadata service and links are the test's.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use podid_azure::{ImdsError, ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens, Secret};
use podid_core::assigned_identity::{AssignmentFailure, AssignmentState};
use podid_core::attest::{NodeLink, PodEndpoint, ProvedLink};
use podid_index::events::EventQueue;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::attest::LinkCheck;
use crate::intercept::{ActiveDaemon, Caller, CallerCheck};
use crate::metrics::NodeMetrics;
use crate::pod_context::PodContext;
use crate::pod_events;
use crate::recent_errors::RecentErrors;
use crate::server::service::{RequestOrigin, TokenService, Waits};
use crate::snapshot::{Served, Snapshot};
pub(crate) use crate::testing::pod_context as entry;
use crate::testing::{RESOURCE_ID, decided_source};
use crate::token::{
    NodeIdentityTokens, NodeImds, SharedImds, TokenCache, TokenIssuer, TokenSources,
};

pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
pub(crate) const DAY: u64 = 86_400;
pub(crate) const TARGET: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";

/// A metadata service that gives prepared answers, then tokens, and remembers what it was asked.
#[derive(Debug)]
pub(crate) struct FakeImds {
    /// Client id of the tokens it gives.
    pub(crate) owner: Mutex<String>,
    pub(crate) prepared: Mutex<VecDeque<ImdsError>>,
    pub(crate) asked: Mutex<Vec<ImdsIdentity>>,
    /// How long its tokens live, in seconds. By default they ended long ago, so that none is kept.
    pub(crate) life: Mutex<Option<u64>>,
    /// Whether it lets requests wait.
    pub(crate) held: watch::Sender<bool>,
}

#[async_trait]
impl ImdsTokens for FakeImds {
    async fn token(&self, request: &ImdsTokenRequest) -> Result<ImdsToken, ImdsError> {
        self.asked.lock().unwrap().push(request.identity.clone());
        let _end = self.held.subscribe().wait_for(|held| !held).await.map(drop);
        let life = *self.life.lock().unwrap();
        let own = match &request.identity {
            ImdsIdentity::ResourceId(id) => id == RESOURCE_ID,
            _ => true,
        };
        match self.prepared.lock().unwrap().pop_front() {
            Some(error) => Err(error),
            None => Ok(ImdsToken {
                access_token: Secret::new(if own { "a.b.c" } else { "token-of-another" }),
                client_id: self.owner.lock().unwrap().clone(),
                expires_in: life.unwrap_or(100),
                expires_on: life.map_or(1_000_100, |_| u64::MAX),
                ext_expires_in: Some(life.unwrap_or(100)),
                not_before: Some(1_000_000),
                resource: request.resource.clone(),
                token_type: "Bearer".into(),
            }),
        }
    }
}

pub(crate) fn failed() -> PodContext {
    let mut entry = entry(false);
    entry.assigned_identities[0].state = AssignmentState::Failed(AssignmentFailure {
        reason: "LinkedAuthorizationFailed".into(),
        message: "grant it".into(),
    });
    entry
}

pub(crate) fn snapshot(entries: &[PodContext]) -> Arc<Snapshot> {
    let by_address = entries
        .iter()
        .map(|entry| {
            let entry = Arc::new(entry.clone());
            (
                ADDRESS,
                Served {
                    pod: entry,
                    endpoint: endpoint(),
                    link: link(),
                },
            )
        })
        .collect();
    Arc::new(Snapshot { by_address })
}

pub(crate) fn endpoint() -> PodEndpoint {
    PodEndpoint {
        interface: 7,
        address: ADDRESS,
        bridge_port: None,
    }
}

/// Says what the test says about callers that were not attested when they connected.
#[derive(Debug, Default)]
pub(crate) struct FakeCallers(pub(crate) AtomicBool);

#[async_trait]
impl CallerCheck for FakeCallers {
    async fn is_only_from(&self, caller: &Caller, asked: &PodEndpoint) -> bool {
        assert_eq!((caller.address, *asked), (ADDRESS, endpoint()));
        self.0.load(Ordering::Relaxed)
    }
}

/// Links that hold until somebody takes one.
#[derive(Debug)]
pub(crate) struct FakeLinks(pub(crate) AtomicBool);

impl LinkCheck for FakeLinks {
    fn is_unchanged(&self, asked: &ProvedLink) -> bool {
        assert_eq!(*asked, link());
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) fn link() -> ProvedLink {
    ProvedLink {
        index: 7,
        was: NodeLink::default(),
    }
}

/// A service, and what it meets.
pub(crate) struct Bench<I = FakeImds> {
    pub(crate) service: Arc<TokenService>,
    pub(crate) callers: Arc<FakeCallers>,
    pub(crate) active: watch::Sender<ActiveDaemon>,
    pub(crate) links: Arc<FakeLinks>,
    pub(crate) imds: Arc<I>,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) calls: mpsc::Receiver<Ipv4Addr>,
    pub(crate) publisher: EventQueue,
}

impl Bench {
    /// The next answers of the metadata service.
    pub(crate) fn prepare(&self, answers: impl IntoIterator<Item = ImdsError>) {
        self.imds.prepared.lock().unwrap().extend(answers);
    }

    /// Has the metadata service give tokens that live for a day, so that they are kept.
    pub(crate) fn keep(&self) {
        *self.imds.life.lock().unwrap() = Some(DAY);
    }

    pub(crate) fn asked(&self) -> usize {
        self.imds.asked.lock().unwrap().len()
    }
}

pub(crate) fn bench(entries: &[PodContext]) -> Bench {
    let imds = FakeImds {
        owner: Mutex::new("client-one".into()),
        prepared: Mutex::default(),
        asked: Mutex::default(),
        life: Mutex::default(),
        held: watch::Sender::new(false),
    };
    bench_of(entries, imds)
}

/// A bench with this metadata service.
pub(crate) fn bench_of<I: ImdsTokens + 'static>(entries: &[PodContext], imds: I) -> Bench<I> {
    let imds = Arc::new(imds);
    let (snapshots, receiver) = watch::channel(snapshot(entries));
    let (sender, calls) = mpsc::channel(4);
    let (events, publisher) = pod_events::channel();
    let callers = Arc::new(FakeCallers::default());
    let (daemon, active) = watch::channel(ActiveDaemon::This);
    let links = Arc::new(FakeLinks(AtomicBool::new(true)));
    let metrics = NodeMetrics::register(&mut Registry::default());
    let shared = SharedImds::new(Arc::clone(&imds) as Arc<dyn ImdsTokens>, metrics.clone());
    let source = Arc::new(decided_source(NodeImds::new(shared.clone())));
    let cache = Arc::new(TokenCache::new(source, metrics.clone()));
    let service = TokenService {
        snapshots: receiver,
        sources: TokenSources {
            bound: Arc::clone(&cache) as Arc<dyn TokenIssuer>,
            node_identities: NodeIdentityTokens::new(shared),
        },
        calls: sender,
        callers: Arc::clone(&callers) as Arc<dyn CallerCheck>,
        active,
        links: Arc::clone(&links) as Arc<dyn LinkCheck>,
        waits: Waits {
            assign: Duration::from_secs(20),
            attest: Duration::from_secs(5),
        },
        events,
        errors: RecentErrors::default(),
        metrics,
    };
    Bench {
        service: Arc::new(service),
        callers,
        active: daemon,
        links,
        imds,
        snapshots,
        calls,
        publisher,
    }
}

pub(crate) fn origin(uid: Option<&str>) -> RequestOrigin {
    RequestOrigin {
        caller: Caller {
            address: ADDRESS,
            port: 40_000,
            since: Instant::now(),
            is_verified: uid.is_some(),
            endpoint: uid.map(|_| endpoint()),
        },
        pod_uid: uid.map(str::to_owned),
    }
}

pub(crate) async fn answer(
    service: &TokenService,
    uid: Option<&str>,
    target: &str,
) -> Response<Full<Bytes>> {
    let request = Request::get(target)
        .header("Metadata", "true")
        .header("Host", "169.254.169.254")
        .body(())
        .unwrap();
    service.answer(&origin(uid), &request.into_parts().0).await
}

pub(crate) async fn ask(
    service: &TokenService,
    uid: Option<&str>,
    target: &str,
) -> (u16, serde_json::Value) {
    let response = answer(service, uid, target).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

pub(crate) fn not_found() -> ImdsError {
    ImdsError::Refused {
        status: 400,
        error: "invalid_request".into(),
        description: "Identity not found".into(),
        retry_after: None,
    }
}
