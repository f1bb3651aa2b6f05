//! Requests for which a token is kept.

use std::sync::Arc;
use std::time::Duration;

use podid_azure::ImdsError;
use podid_core::net_raw::Breach;
use tokio::task::JoinSet;

use crate::server::testing::*;
use crate::testing::within_limit;

/// A service whose tokens live for a day.
fn keeping() -> Bench {
    let bench = bench(&[entry(true)]);
    bench.keep();
    bench
}

async fn status(bench: &Bench, target: &str) -> u16 {
    ask(&bench.service, Some("uid-1"), target).await.0
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_answered_without_asking_and_says_how_long_it_is_left() {
    within_limit(async {
        let bench = keeping();
        for (wait, left) in [(0, "86400"), (100, "86300"), (3_500, "82800")] {
            tokio::time::advance(Duration::from_secs(wait)).await;
            let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
            assert_eq!(
                (status, body["access_token"].as_str()),
                (200, Some("a.b.c"))
            );
            assert_eq!(
                (&body["expires_in"], &body["ext_expires_in"]),
                (&left.into(), &left.into())
            );
            assert_eq!(
                body["expires_on"],
                u64::MAX.to_string(),
                "the end stays where it is"
            );
        }
        assert_eq!(bench.asked(), 1);
    })
    .await;
}

#[tokio::test]
async fn first_requests_that_come_together_are_one_question() {
    within_limit(async {
        let bench = keeping();
        bench.imds.held.send_replace(true);
        let mut asking = JoinSet::new();
        for _ in 0..64 {
            let service = Arc::clone(&bench.service);
            asking.spawn(async move { ask(&service, Some("uid-1"), TARGET).await.0 });
        }
        while bench.asked() == 0 {
            tokio::task::yield_now().await;
        }
        bench.imds.held.send_replace(false);
        assert_eq!(asking.join_all().await, [200; 64]);
        assert_eq!(bench.asked(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_pod_whose_right_has_ended_gets_nothing_that_was_kept() {
    within_limit(async {
        let bench = keeping();
        assert_eq!(status(&bench, TARGET).await, 200);
        let mut unbound = entry(true);
        unbound.bindings.clear();
        let mut rebel = entry(true);
        rebel.caller.pod.breaches = [Breach::KeepsNetRaw("app".into())].into();
        let mut completed = entry(true);
        completed.caller.completed = true;
        for without in [unbound, rebel, completed, failed()] {
            bench.snapshots.send_replace(snapshot(&[without]));
            assert_eq!(status(&bench, TARGET).await, 400);
        }
        bench.snapshots.send_replace(snapshot(&[]));
        assert_eq!(
            status(&bench, TARGET).await,
            503,
            "another pod may be there now"
        );
        assert_eq!(bench.asked(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_identity_or_an_assignment_that_was_made_anew_gets_a_new_token() {
    within_limit(async {
        let bench = keeping();
        assert_eq!(status(&bench, TARGET).await, 200);
        let mut another = entry(true);
        another.identities[0].client_id = "client-two".into();
        another.assigned = bench
            .snapshots
            .borrow()
            .at(ADDRESS)
            .unwrap()
            .assigned
            .clone();
        bench.snapshots.send_replace(snapshot(&[another]));
        *bench.imds.owner.lock().unwrap() = "client-two".into();
        let (_, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(
            (&body["client_id"], bench.asked()),
            (&"client-two".into(), 2)
        );

        *bench.imds.owner.lock().unwrap() = "client-one".into();
        bench.snapshots.send_replace(snapshot(&[entry(true)]));
        let (_, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(
            (&body["client_id"], bench.asked()),
            (&"client-one".into(), 3)
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_can_ask_past_the_cache_and_then_all_get_the_new_token() {
    within_limit(async {
        let bench = keeping();
        for (suffix, asked) in [
            ("", 1),
            ("&bypass_cache=true", 2),
            ("&BYPASS_CACHE=True", 3),
            ("&bypass_cache=false", 3),
            ("&bypass_cache=", 3),
            ("", 3),
        ] {
            let target = format!("{TARGET}{suffix}");
            assert_eq!(
                (status(&bench, &target).await, bench.asked()),
                (200, asked),
                "{suffix}"
            );
        }
        bench.prepare([gone()]);
        assert_eq!(
            status(&bench, &format!("{TARGET}&bypass_cache=true")).await,
            410
        );
        assert_eq!(status(&bench, TARGET).await, 200, "what is kept stays");
    })
    .await;
}

#[tokio::test]
async fn a_final_refusal_drops_what_is_kept_and_no_error_is_kept() {
    within_limit(async {
        let bench = keeping();
        assert_eq!(status(&bench, TARGET).await, 200);
        *bench.imds.owner.lock().unwrap() = "client-two".into();
        assert_eq!(
            status(&bench, &format!("{TARGET}&bypass_cache=true")).await,
            400
        );
        for asked in 3..6 {
            assert_eq!((status(&bench, TARGET).await, bench.asked()), (400, asked));
        }
        *bench.imds.owner.lock().unwrap() = "client-one".into();
        assert_eq!(status(&bench, TARGET).await, 200);
        for answer in [gone(), throttled()] {
            let ImdsError::Refused {
                status: expected, ..
            } = answer.clone()
            else {
                unreachable!("both are refusals")
            };
            bench.prepare([answer]);
            let elsewhere = TARGET.replace("vault.azure.net", &format!("host-{expected}"));
            assert_eq!(status(&bench, &elsewhere).await, expected);
            assert_eq!(status(&bench, &elsewhere).await, 200);
        }
    })
    .await;
}

fn refusal(status: u16) -> ImdsError {
    ImdsError::Refused {
        status,
        error: "error".into(),
        description: "description".into(),
        retry_after: None,
    }
}

fn gone() -> ImdsError {
    refusal(410)
}

fn throttled() -> ImdsError {
    refusal(429)
}
