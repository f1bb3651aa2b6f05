use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use podid_azure::{ClientHeaders, ImdsIdentity};
use tokio::task::JoinSet;

use super::*;

use crate::testing::{imds_token, within_limit};

/// Knows the identity from the request of this number on.
#[derive(Debug)]
struct LateImds {
    known_from: usize,
    asked: AtomicUsize,
}

#[async_trait]
impl ImdsTokens for LateImds {
    async fn token(&self, request: &ImdsTokenRequest) -> Result<ImdsToken, ImdsError> {
        if self.asked.fetch_add(1, Ordering::SeqCst) < self.known_from {
            return Err(ImdsError::Refused {
                status: 400,
                error: "invalid_request".into(),
                description: "Identity not found".into(),
                retry_after: None,
            });
        }
        Ok(imds_token(request))
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

/// Lets `count` requests wait for one identity until they have their tokens; the resources of those.
async fn wait_together(lag: &ImdsLag, imds: &Arc<LateImds>, count: usize) -> Vec<String> {
    let mut waiting = JoinSet::new();
    for number in 0..count {
        let (waiter, imds) = (lag.wait_for(&ArmId::new("/x")), Arc::clone(imds));
        waiting.spawn(async move {
            let request = request(&number.to_string());
            waiter.ask(imds.as_ref(), &request).await.unwrap().resource
        });
    }
    waiting.join_all().await
}

#[tokio::test(start_paused = true)]
async fn however_many_wait_one_at_a_time_asks() {
    within_limit(async {
        let imds = |known_from| {
            Arc::new(LateImds {
                known_from,
                asked: AtomicUsize::default(),
            })
        };
        for waiters in [1, 50] {
            let (lag, imds, start) = (ImdsLag::default(), imds(8), Instant::now());
            let mut served = wait_together(&lag, &imds, waiters).await;
            served.sort_by_key(|number| number.parse::<usize>().unwrap());
            let all: Vec<String> = (0..waiters).map(|number| number.to_string()).collect();
            assert_eq!(served, all, "each has the token it asked for");
            assert_eq!(imds.asked.load(Ordering::SeqCst), 8 + waiters);
            // 0.25, 0.5, 1, 2 and then 4 s between requests, for all of them together.
            assert_eq!(start.elapsed(), Duration::from_millis(23_750), "{waiters}");
            assert!(lag.waiters(&ArmId::new("/X")).is_none(), "nobody is left");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_goes_away_hands_its_turn_on() {
    within_limit(async {
        let lag = ImdsLag::default();
        let imds = LateImds {
            known_from: 0,
            asked: AtomicUsize::default(),
        };
        let (first, second) = (
            lag.wait_for(&ArmId::new("/x")),
            lag.waiters(&ArmId::new("/X")),
        );
        let (resource, second) = (request("r"), second.unwrap());
        {
            let mut asking = std::pin::pin!(first.ask(&imds, &resource));
            assert!(futures::poll!(&mut asking).is_pending());
        }
        assert!(second.ask(&imds, &resource).await.is_ok());
        assert_eq!(imds.asked.load(Ordering::SeqCst), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn identities_that_nobody_waits_for_are_forgotten() {
    within_limit(async {
        let lag = ImdsLag::default();
        for number in 0..1000 {
            drop(lag.wait_for(&ArmId::new(format!("/{number}"))));
        }
        assert_eq!(lag.identities().len(), 1);
    })
    .await;
}
