use std::time::{Duration, SystemTime};

use serde_json::json;

use super::cloud::{Canned, CannedAnswer};
use crate::{ArmIdentities, AzureError, ErrorClass, Identities, IdentityId, Operation};

const PATH: &str = "/subscriptions/s/resourceGroups/g/providers/\
                    Microsoft.ManagedIdentity/userAssignedIdentities/web";

fn id() -> IdentityId {
    IdentityId::new("s", "g", "web")
}

fn found() -> CannedAnswer {
    super::identities::identity(200, "web")
}

async fn get(cloud: &Canned) -> Result<(), AzureError> {
    ArmIdentities::new(&cloud.arm()).get(&id()).await.map(drop)
}

#[tokio::test]
async fn every_call_names_itself_and_carries_one_token() {
    let cloud = Canned::start().await;
    cloud.on("GET", PATH, [found()]);
    let identities = ArmIdentities::new(&cloud.arm());
    identities.get(&id()).await.unwrap();
    identities.get(&id()).await.unwrap();
    let seen = cloud.seen();
    for call in &seen {
        assert_eq!(call.header("authorization"), "Bearer token-1");
        assert_eq!(call.query, "api-version=2023-01-31");
        assert!(call.header("user-agent").starts_with("podid/"));
    }
    let request_id = |at: usize| seen[at].header("x-ms-client-request-id").to_owned();
    assert_eq!(request_id(0).len(), 36);
    assert_ne!(request_id(0), request_id(1));
}

#[tokio::test]
async fn a_refused_token_is_dropped_once() {
    let cloud = Canned::start().await;
    cloud.on(
        "GET",
        PATH,
        [
            CannedAnswer::error(401, "ExpiredAuthenticationToken"),
            found(),
        ],
    );
    get(&cloud).await.unwrap();
    let tokens: Vec<_> = cloud
        .seen()
        .iter()
        .map(|call| call.header("authorization").to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_token_refused_twice_is_an_error() {
    let cloud = Canned::start().await;
    cloud.on(
        "GET",
        PATH,
        [CannedAnswer::error(401, "InvalidAuthenticationToken")],
    );
    let error = get(&cloud).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unauthenticated);
    assert_eq!(cloud.seen().len(), 2);
}

#[tokio::test]
async fn gateways_that_answer_in_html_are_tried_again() {
    let cloud = Canned::start().await;
    let html = |status| CannedAnswer::text(status, "<html>\n<h1>Bad Gateway</h1></html>");
    cloud.on(
        "GET",
        PATH,
        [
            html(502),
            html(504),
            CannedAnswer::error(500, "InternalServerError"),
            found(),
        ],
    );
    get(&cloud).await.unwrap();
    assert_eq!(cloud.seen().len(), 4);
}

#[tokio::test]
async fn a_lasting_outage_is_reported_with_its_text() {
    let cloud = Canned::start().await;
    cloud.on(
        "GET",
        PATH,
        [CannedAnswer::text(503, "<h1>Down\r\nfor  repair</h1>")],
    );
    let error = get(&cloud).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient);
    assert_eq!(
        error.to_string(),
        format!("reading identity {PATH}: Azure answered 503: <h1>Down for repair</h1>")
    );
    assert_eq!(cloud.seen().len(), 4);
}

#[tokio::test]
async fn a_wait_that_azure_asks_for_goes_to_the_caller_at_once() {
    for (status, asked) in [(429, 0), (429, 1), (429, 10), (503, 10)] {
        let cloud = Canned::start().await;
        let refused = CannedAnswer::error(status, "Slow").header("Retry-After", asked);
        cloud.on("GET", PATH, [refused, found()]);
        let error = get(&cloud).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(asked)));
        assert_eq!(cloud.seen().len(), 1, "{status} {asked}");
    }
}

/// Fault 40: `Retry-After` is a number of seconds, or an HTTP date.
#[tokio::test]
async fn a_throttle_is_told_in_both_forms() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(120));
    for header in ["120".to_owned(), date] {
        let cloud = Canned::start().await;
        let throttled =
            CannedAnswer::error(429, "OperationNotAllowed").header("Retry-After", &header);
        cloud.on("GET", PATH, [throttled]);
        let error = get(&cloud).await.unwrap_err();
        let ErrorClass::Throttled {
            retry_after: Some(wait),
        } = error.class()
        else {
            panic!("{error:?}");
        };
        assert!((118..=120).contains(&wait.as_secs()), "{header}: {wait:?}");
        assert_eq!(cloud.seen().len(), 1);
    }
}

#[tokio::test]
async fn no_answer_names_the_host() {
    let cloud = Canned::start().await;
    // Port 1 is reserved and nobody listens there.
    let arm = cloud.arm_at("https://127.0.0.1:1");
    let error = ArmIdentities::new(&arm).get(&id()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(matches!(&error, AzureError::NoAnswer { host, .. } if host == "127.0.0.1:1"));
    assert!(
        error.next_step().contains("127.0.0.1:1"),
        "{}",
        error.next_step()
    );
}

#[tokio::test]
async fn entras_refusal_is_known_by_its_number() {
    let cloud = Canned::start().await;
    let refusal = json!({
        "error": "invalid_client",
        "error_description": "AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: x",
        "error_codes": [7_000_222],
        "trace_id": "x",
    });
    cloud.on(
        "POST",
        "/tenant/oauth2/v2.0/token",
        [CannedAnswer::json(401, refusal)],
    );
    let error = get(&cloud).await.unwrap_err();
    assert_eq!(error.code(), Some("AADSTS7000222"));
    assert_eq!(error.class(), ErrorClass::Unauthenticated);
    assert_eq!(error.operation(), Some(Operation::GetIdentity));
    assert!(error.next_step().contains("expired"));
    assert!(
        cloud.seen().is_empty(),
        "nothing is asked of ARM without a token"
    );
}
