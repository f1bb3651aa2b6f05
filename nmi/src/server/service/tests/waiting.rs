//! Requests that wait: for an assignment, and for the metadata service to learn of it.

use crate::intercept::ActiveDaemon;
use crate::pod_events::next_warning;
use crate::testing::within_limit;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use podid_core::net_raw::Breach;
use podid_core::resolve::IMDS_LAG;
use tokio::time::Instant;

use crate::server::testing::*;
use crate::testing::RESOURCE_ID;

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_its_assignment_and_no_longer_than_needed() {
    within_limit(async {
        let bench = bench(&[entry(false)]);
        let service = Arc::clone(&bench.service);
        let asking = tokio::spawn(async move { ask(&service, Some("uid-1"), TARGET).await });
        tokio::task::yield_now().await;
        let before = Instant::now();
        bench.snapshots.send_replace(snapshot(&[entry(true)]));
        assert_eq!(asking.await.unwrap().0, 200);
        assert_eq!(before.elapsed(), Duration::ZERO, "no poll, no pause");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_comes_before_its_pod_is_known_is_answered_at_once_then() {
    within_limit(async {
        for (is_its_own, expected) in [(true, 200), (false, 503)] {
            let mut bench = bench(&[]);
            bench.callers.0.store(is_its_own, Ordering::Relaxed);
            let service = Arc::clone(&bench.service);
            let asking = tokio::spawn(async move { answer(&service, None, TARGET).await });
            assert_eq!(bench.calls.recv().await, Some(ADDRESS), "it is looked at");
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(!asking.is_finished(), "it waits");
            let before = Instant::now();
            bench.snapshots.send_replace(snapshot(&[entry(true)]));
            let response = asking.await.unwrap();
            assert_eq!(response.status().as_u16(), expected);
            assert_eq!(before.elapsed(), Duration::ZERO);
            assert_eq!(bench.asked(), usize::from(is_its_own));
            assert_eq!(
                response.headers()["connection"],
                "close",
                "the next connection is one whose packets are checked"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_pod_stays_unknown_is_refused_when_the_wait_is_over() {
    within_limit(async {
        let bench = bench(&[]);
        bench.callers.0.store(true, Ordering::Relaxed);
        let before = Instant::now();
        assert_eq!(ask(&bench.service, None, TARGET).await.0, 503);
        assert_eq!(before.elapsed(), Duration::from_secs(5));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_early_callers_token_does_not_leave_over_a_replaced_link() {
    within_limit(async {
        let bench = bench(&[entry(true)]);
        bench.callers.0.store(true, Ordering::Relaxed);
        bench.links.0.store(false, Ordering::Relaxed);
        assert_eq!(ask(&bench.service, None, TARGET).await.0, 503);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_does_not_come_is_a_retryable_answer() {
    within_limit(async {
        let bench = bench(&[entry(false)]);
        let before = Instant::now();
        let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(
            (status, body["error"].as_str()),
            (503, Some("service_unavailable"))
        );
        assert_eq!(before.elapsed(), Duration::from_secs(20));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_the_metadata_service_is_bridged() {
    within_limit(async {
        let bench = bench(&[entry(true)]);
        bench.prepare([not_found(), not_found()]);
        assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 200);
        assert_eq!(bench.asked(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lag_beyond_the_bound_is_a_retryable_answer() {
    within_limit(async {
        let bench = bench(&[entry(true)]);
        bench.prepare((0..100).map(|_| not_found()));
        let before = Instant::now();
        assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 503);
        assert_eq!(before.elapsed(), Duration::from_secs(20));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_the_metadata_service_has_lost_is_a_no_at_once() {
    within_limit(async {
        let mut bench = bench(&[entry(true)]);
        tokio::time::advance(IMDS_LAG).await;
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
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn five_clients_that_try_for_minutes_share_one_question() {
    within_limit(async {
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
        assert_eq!(
            start.elapsed(),
            IMDS_LAG,
            "then the answer is final for all"
        );
        // One each when they begin and at most when they try again; what they wait for is shared.
        assert!(bench.asked() < 60, "{} requests", bench.asked());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_ends_when_its_assignment_fails() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_assignment_is_a_no_at_once() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_refused_when_the_pod_begins_to_break_the_rule() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn connections_are_closed_after_their_answer_when_another_daemon_takes_the_calls() {
    within_limit(async {
        let bench = bench(&[entry(true)]);
        let response = answer(&bench.service, Some("uid-1"), TARGET).await;
        assert!(!response.headers().contains_key("connection"));
        bench.active.send_replace(ActiveDaemon::Later);
        let response = answer(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["connection"], "close");
    })
    .await;
}
