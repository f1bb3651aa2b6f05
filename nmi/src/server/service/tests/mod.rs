mod cached;
mod exceptions;
mod imds_faults;
mod waiting;

use crate::pod_events::next_warning;
use crate::testing::within_limit;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Request;
use podid_azure::{ImdsError, ImdsIdentity};
use podid_core::net_raw::Breach;
use tokio::time::Instant;

use crate::server::testing::*;
use crate::testing::RESOURCE_ID;

#[tokio::test]
async fn no_token_leaves_over_a_link_that_is_not_the_attested_one() {
    within_limit(async {
        let mut bench = bench(&[entry(true)]);
        assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 200);
        bench.links.0.store(false, Ordering::Relaxed);
        let (status, body) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!((status, body.get("access_token")), (503, None));
        assert_eq!(bench.calls.try_recv(), Ok(ADDRESS), "it is looked at again");
    })
    .await;
}

#[tokio::test]
async fn a_pod_gets_its_own_identitys_token() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test]
async fn a_token_is_handed_on_only_if_it_belongs_to_the_identitys_client_id() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test]
async fn a_wrong_client_id_is_told_in_an_event() {
    within_limit(async {
        let mut bench = bench(&[entry(true)]);
        *bench.imds.owner.lock().unwrap() = "client-two".to_owned();
        for _ in 0..3 {
            ask(&bench.service, Some("uid-1"), TARGET).await;
        }
        let (reason, note) = next_warning(&mut bench.publisher).unwrap();
        assert_eq!(reason, "ClientIdMismatch");
        assert!(note.contains("has clientID client-one, but"), "{note}");
        assert_eq!(next_warning(&mut bench.publisher), None, "said once");
    })
    .await;
}

#[tokio::test]
async fn a_connection_stays_with_the_pod_that_opened_it() {
    within_limit(async {
        let bench = bench(&[entry(true)]);
        let (status, _) = ask(&bench.service, Some("an earlier pod"), TARGET).await;
        assert_eq!(status, 503);
        assert_eq!(*bench.imds.asked.lock().unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_breaks_its_profiles_rule_is_refused_in_words() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test]
async fn an_identity_is_known_by_its_object_id() {
    within_limit(async {
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
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_served_is_answered_at_once() {
    within_limit(async {
        let bench = bench(&[entry(true)]);
        let before = Instant::now();
        let target = format!("{TARGET}&client_id=foreign");
        let (status, body) = ask(&bench.service, Some("uid-1"), &target).await;
        assert_eq!(
            (status, body["error_description"].as_str()),
            (400, Some("Identity not found"))
        );
        assert_eq!(before.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_which_another_may_have_sent_packets_never_gets_a_token_and_is_looked_at() {
    within_limit(async {
        let mut bench = bench(&[entry(true)]);
        let (status, _) = ask(&bench.service, None, TARGET).await;
        assert_eq!(status, 503);
        assert_eq!(bench.calls.recv().await, Some(ADDRESS));
        assert_eq!(*bench.imds.asked.lock().unwrap(), []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_probe_of_a_caller_that_is_not_attested_is_answered_at_once() {
    within_limit(async {
        let bench = bench(&[]);
        let before = Instant::now();
        let request = Request::get("/metadata/identity/oauth2/token")
            .header("Host", "169.254.169.254")
            .body(())
            .unwrap();
        let response = bench
            .service
            .answer(&origin(None), &request.into_parts().0)
            .await;
        assert_eq!(
            (response.status().as_u16(), before.elapsed()),
            (400, Duration::ZERO)
        );
    })
    .await;
}

#[tokio::test]
async fn errors_of_the_metadata_service_are_passed_on() {
    within_limit(async {
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
    })
    .await;
}
