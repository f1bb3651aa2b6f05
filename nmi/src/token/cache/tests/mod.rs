mod pods;

use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use podid_azure::{ClientHeaders, ImdsToken, Secret};
use podid_core::attest::{NodeLink, PodEndpoint, ProvedLink};
use podid_core::token_cache::EXPIRING;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::*;
use crate::answer::ErrorAnswer;
use crate::pod_context::PodContext;
use crate::snapshot::{Served, Snapshot};
use crate::testing::{pod_context, within_limit};
use crate::token::{TokenOrigin, error};

/// How long the tokens live. The tests may take a day together.
const LIFE: Duration = Duration::from_secs(6 * 3600);
/// So long before the end, a token that is used has been replaced.
const REPLACED: Duration = Duration::from_secs(450);
const VAULT: &str = "https://vault.azure.net";

/// What the source does about requests.
#[derive(Clone, Copy, Debug)]
enum Doing {
    /// It gives a token that lives this long.
    Issue(Duration),
    /// It gives one of this size.
    IssueLarge(usize),
    /// It gives one after this time.
    IssueLate(Duration),
    Throttle,
    Refuse,
    Hang,
}

/// A source that remembers for which pods it was asked. Its tokens are counted.
#[derive(Debug)]
struct Source {
    doing: Mutex<Doing>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl TokenIssuer for Source {
    async fn token(&self, request: TokenRequest<'_>) -> Result<IssuedToken, TokenError> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.pod.pod.uid.clone());
            asked.len()
        };
        let doing = *self.doing.lock().unwrap();
        let (text, life) = match doing {
            Doing::Issue(life) => (format!("token-{number}"), life),
            Doing::IssueLate(wait) => {
                tokio::time::sleep(wait).await;
                (format!("token-{number}"), LIFE)
            }
            Doing::IssueLarge(size) => ("x".repeat(size), LIFE),
            Doing::Throttle => {
                let answer = ErrorAnswer::retry("later", Duration::from_secs(1));
                return Err(TokenError {
                    answer,
                    ..error::not_attested()
                });
            }
            Doing::Refuse => return Err(error::client_id_mismatch(request.identity, "other")),
            Doing::Hang => return pending().await,
        };
        Ok(IssuedToken::fresh(ImdsToken {
            access_token: Secret::new(text),
            client_id: request.identity.client_id.clone(),
            expires_in: life.as_secs(),
            expires_on: u64::MAX,
            ext_expires_in: None,
            not_before: None,
            resource: request.resource.to_owned(),
            token_type: "Bearer".into(),
        }))
    }
}

struct Bench {
    source: Arc<Source>,
    cache: Arc<TokenCache>,
    snapshots: watch::Sender<Arc<Snapshot>>,
}

/// A cache that follows the pods of a node.
fn bench() -> Bench {
    let source = Arc::new(Source {
        doing: Mutex::new(Doing::Issue(LIFE)),
        asked: Mutex::default(),
    });
    let metrics = NodeMetrics::register(&mut Registry::default());
    let issuer = Arc::clone(&source) as Arc<dyn TokenIssuer>;
    let cache = Arc::new(TokenCache::new(issuer, metrics));
    let (snapshots, receiver) = watch::channel(Arc::default());
    tokio::spawn(Arc::clone(&cache).keep_up(receiver));
    Bench {
        source,
        cache,
        snapshots,
    }
}

impl Bench {
    fn set(&self, doing: Doing) {
        *self.source.doing.lock().unwrap() = doing;
    }

    fn asked(&self) -> usize {
        self.source.asked.lock().unwrap().len()
    }

    fn show(&self, pods: &[&PodContext]) {
        let by_address = (1..).zip(pods).map(|(last, pod)| {
            let address = Ipv4Addr::new(10, 244, 0, last);
            let endpoint = PodEndpoint {
                interface: last.into(),
                address,
                bridge_port: None,
            };
            let link = ProvedLink {
                index: last.into(),
                was: NodeLink::default(),
            };
            let pod = Arc::new((*pod).clone());
            (
                address,
                Served {
                    pod,
                    endpoint,
                    link,
                },
            )
        });
        let by_address = by_address.collect();
        self.snapshots
            .send_replace(Arc::new(Snapshot { by_address }));
    }

    async fn ask(&self, pod: &PodContext, resource: &str) -> Result<IssuedToken, TokenError> {
        let identity = &pod.identities[0];
        let request = TokenRequest {
            pod: &pod.caller,
            identity,
            principal: None,
            resource,
            headers: &ClientHeaders::default(),
            bypass_cache: false,
            in_background: false,
            assigned_since: pod.assigned_since(identity),
            deadline: Instant::now() + Duration::from_secs(20),
        };
        self.cache.token(request).await
    }

    /// The text of the pod's token, and where it was found.
    async fn token(&self, pod: &PodContext) -> (String, TokenOrigin) {
        let issued = self.ask(pod, VAULT).await.unwrap();
        (issued.token.access_token.expose().to_owned(), issued.origin)
    }

    /// Waits until the cache has done all that it does by itself now.
    async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.settle().await;
    }

    fn kept(&self) -> (i64, usize) {
        let store = self.cache.store();
        (store.tokens(), store.entries())
    }
}

fn pod(uid: &str) -> PodContext {
    let mut pod = pod_context(true);
    pod.caller.pod.uid = uid.into();
    pod.assigned_identities[0].pod_uid = uid.into();
    pod
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_used_is_replaced_before_it_ends_and_one_that_is_not_is_dropped() {
    within_limit(async {
        let (bench, one) = (bench(), pod("one"));
        bench.show(&[&one]);
        assert_eq!(
            bench.token(&one).await,
            ("token-1".into(), TokenOrigin::Source)
        );
        bench.pass(LIFE - REPLACED).await;
        assert_eq!(bench.asked(), 2);
        assert_eq!(
            bench.token(&one).await,
            ("token-2".into(), TokenOrigin::Cache)
        );
        // Used just now, so it is replaced once more, and nobody uses the next one.
        bench.pass(LIFE).await;
        assert_eq!((bench.asked(), bench.kept()), (3, (1, 1)));
        bench.pass(LIFE).await;
        bench.show(&[&one]);
        bench.settle().await;
        assert_eq!((bench.asked(), bench.kept()), (3, (0, 0)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_token_outlasts_an_outage_until_it_ends() {
    within_limit(async {
        for outage in [Doing::Throttle, Doing::Hang] {
            let (bench, one) = (bench(), pod("one"));
            bench.show(&[&one]);
            bench.token(&one).await;
            bench.set(outage);
            for before_end in [900, 299, 30, 1].map(Duration::from_secs) {
                let until = LIFE - before_end - bench.cache.start.elapsed();
                bench.pass(until).await;
                let before = Instant::now();
                let answer = bench.token(&one).await;
                assert_eq!(
                    answer,
                    ("token-1".into(), TokenOrigin::Cache),
                    "{before_end:?}"
                );
                assert!(before.elapsed() <= RENEW_WAIT, "{before_end:?} {outage:?}");
            }
            assert!(bench.asked() < 60, "{} tries", bench.asked());
            bench.pass(Duration::from_secs(2)).await;
            let ended = timeout(LIFE / 6, bench.ask(&one, VAULT)).await;
            assert!(!matches!(ended, Ok(Ok(_))), "it has ended");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expiring_token_is_renewed_by_the_request_that_finds_it() {
    within_limit(async {
        let (bench, one) = (bench(), pod("one"));
        // Not shown to the cache, which hence refreshes nothing by itself.
        bench.token(&one).await;
        bench.pass(LIFE - EXPIRING).await;
        assert_eq!(
            bench.token(&one).await,
            ("token-2".into(), TokenOrigin::Source)
        );
        assert_eq!(
            bench.token(&one).await,
            ("token-2".into(), TokenOrigin::Cache)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_refused_for_good_drops_the_token() {
    within_limit(async {
        let (bench, one) = (bench(), pod("one"));
        bench.show(&[&one]);
        bench.token(&one).await;
        bench.set(Doing::Refuse);
        bench.pass(LIFE - REPLACED).await;
        assert_eq!((bench.asked(), bench.kept()), (2, (0, 0)));
        assert!(bench.ask(&one, VAULT).await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_soon_is_handed_on_and_not_kept() {
    within_limit(async {
        let (bench, one) = (bench(), pod("one"));
        bench.show(&[&one]);
        bench.set(Doing::Issue(Duration::from_secs(60)));
        for asked in 1..4 {
            assert_eq!(bench.token(&one).await.1, TokenOrigin::Source);
            assert_eq!((bench.asked(), bench.kept()), (asked, (0, 0)));
        }
    })
    .await;
}
