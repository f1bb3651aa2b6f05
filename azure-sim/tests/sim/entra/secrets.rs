//! Token requests with a client secret.

use azure_sim::{Application, Options, Secret, Seed};
use serde_json::json;

use super::helpers::error_of;
use crate::harness::{Got, Lab, OPERATOR, TENANT, VAULT, claims};

#[tokio::test]
async fn a_secret_gets_a_token_at_v1_and_v2_endpoints() {
    let lab = Lab::demo().await;
    let secret = [
        ("grant_type", "client_credentials"),
        ("client_id", OPERATOR.0),
        ("client_secret", OPERATOR.1),
    ];
    let v2 = lab
        .token_request(
            &[
                &secret[..],
                &[("scope", "https://vault.azure.net/.default")],
            ]
            .concat(),
        )
        .await;
    let body = v2.json();
    assert!(
        (3600..=5400).contains(&body["expires_in"].as_i64().unwrap()),
        "{body}"
    );
    let token = claims(body["access_token"].as_str().unwrap());
    assert_eq!(
        (&token["aud"], &token["appid"], &token["appidacr"]),
        (&json!(VAULT), &json!(OPERATOR.0), &json!("1"))
    );
    assert_eq!(token["oid"], lab.object_id("operator"));
    assert_eq!(v2.header("cache-control"), "no-store, no-cache");

    let url = lab.url(&format!(
        "https://login.microsoftonline.com/{TENANT}/oauth2/token"
    ));
    let form = [
        &secret[..1],
        &[("resource", "https://management.azure.com/")],
    ]
    .concat();
    let v1 = lab
        .http
        .post(url)
        .basic_auth(OPERATOR.0, Some(OPERATOR.1))
        .form(&form)
        .send()
        .await
        .unwrap();
    let body = Got::of(v1).await.json();
    assert!(
        body["expires_in"].is_string() && body["expires_on"].is_string(),
        "{body}"
    );
    assert_eq!(
        claims(body["access_token"].as_str().unwrap())["aud"],
        "https://management.azure.com/"
    );
}

#[tokio::test]
async fn each_invalid_token_request_has_its_error_number() {
    let mut seed = Seed::demo().unwrap();
    seed.applications.push(Application {
        name: "stale".into(),
        client_id: Some("30000000-0000-4000-8000-00000000000f".into()),
        secrets: vec![Secret {
            value: "old".into(),
            expires: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        }],
        ..Application::default()
    });
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let arm = "https://management.azure.com/.default";
    let ask = async |id: &str, secret: &str, scope: &str, grant: &str| {
        let form = [
            ("grant_type", grant),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ];
        error_of(&lab.token_request(&form).await)
    };
    let (id, secret) = OPERATOR;
    let invalid_client = || "invalid_client".to_owned();
    assert_eq!(
        ask(id, "wrong", arm, "client_credentials").await,
        (401, invalid_client(), 7_000_215)
    );
    assert_eq!(
        ask(id, "", arm, "client_credentials").await,
        (401, invalid_client(), 7_000_218)
    );
    let stale = "30000000-0000-4000-8000-00000000000f";
    assert_eq!(
        ask(stale, "old", arm, "client_credentials").await,
        (401, invalid_client(), 7_000_222)
    );
    assert_eq!(
        ask(TENANT, "x", arm, "client_credentials").await,
        (400, "unauthorized_client".into(), 700_016)
    );
    let scope = "https://management.azure.com/user_impersonation";
    assert_eq!(
        ask(id, secret, scope, "client_credentials").await,
        (400, "invalid_scope".into(), 1_002_012)
    );
    let two = format!("{arm} https://vault.azure.net/.default");
    assert_eq!(
        ask(id, secret, &two, "client_credentials").await,
        (400, "invalid_scope".into(), 70_011)
    );
    let odd = "https://nothing.example/.default";
    assert_eq!(
        ask(id, secret, odd, "client_credentials").await,
        (400, "invalid_resource".into(), 500_011)
    );
    assert_eq!(
        ask(id, secret, arm, "password").await,
        (400, "unsupported_grant_type".into(), 70_003)
    );
    for (tenant, expected) in [
        ("nowhere.example", 90_002),
        (OPERATOR.0, 90_002),
        ("nowhere", 900_023),
    ] {
        let url = lab.url(&format!(
            "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
        ));
        let got = Got::of(lab.http.post(url).form(&[("a", "b")]).send().await.unwrap()).await;
        assert_eq!(error_of(&got).2, expected, "{tenant}");
    }
}
