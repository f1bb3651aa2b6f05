//! Token requests with the token of another issuer.

use azure_sim::{Effect, Fault, FederatedCredential, Issuer, Operation, Options, Seed};
use serde_json::{Value, json};

use super::helpers::{AUDIENCE, ISSUER, Key, SUBJECT, assert_with, error_of};
use crate::harness::{ARM, Lab, OPERATOR, TENANT, claims, identity_id};

/// A cloud in which the operator and the identity `demo` trust an issuer.
async fn federated(issuer: Issuer) -> (Lab, String) {
    let mut seed = Seed::demo().unwrap();
    let trust = FederatedCredential {
        name: "cluster".into(),
        issuer: issuer.issuer.clone(),
        subject: SUBJECT.into(),
        audiences: vec![AUDIENCE.into()],
    };
    seed.applications[0]
        .federated_credentials
        .push(trust.clone());
    seed.identities[0].federated_credentials.push(trust);
    seed.issuers.push(issuer);
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let demo = lab.sim.state()["identities"][0]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    (lab, demo)
}

fn issuer(keys: Value) -> Issuer {
    Issuer {
        issuer: ISSUER.into(),
        jwks: Some(keys),
        ..Issuer::default()
    }
}

#[tokio::test]
async fn a_trusted_issuers_token_stands_for_an_application_or_an_identity() {
    let key = Key::new();
    let (lab, demo) = federated(issuer(key.key_set("k1"))).await;
    let token = key.external("k1", json!({}));
    for client in [OPERATOR.0, &demo] {
        let got = assert_with(&lab, client, &token).await;
        assert_eq!(got.status, 200, "{}", got.text);
        let claims = claims(got.json()["access_token"].as_str().unwrap());
        assert_eq!(
            (&claims["appid"], &claims["aud"]),
            (&json!(client), &json!(format!("{ARM}/")))
        );
        assert_eq!(claims["xms_mirid"].is_string(), client == demo);
    }
}

#[tokio::test]
async fn a_token_that_does_not_match_is_refused_by_what_is_wrong_with_it() {
    let key = Key::new();
    let (lab, demo) = federated(issuer(key.key_set("k1"))).await;
    let now = jiff::Timestamp::now().as_second();
    for (change, number) in [
        (json!({"iss": "https://issuer.example/cluster"}), 700_211),
        (json!({"aud": "api://other"}), 700_212),
        (
            json!({"sub": "System:serviceaccount:podid-system:podid-operator"}),
            700_213,
        ),
        (json!({"exp": now - 3600}), 700_024),
        (json!({"nbf": now + 3600}), 700_024),
    ] {
        let got = assert_with(&lab, &demo, &key.external("k1", change.clone())).await;
        assert_eq!(
            error_of(&got),
            (401, "invalid_client".into(), number),
            "{change}"
        );
    }
    let unknown = assert_with(&lab, &demo, &key.external("k2", json!({}))).await;
    assert_eq!(error_of(&unknown).2, 7_000_272);
    let forged = assert_with(&lab, &demo, &Key::new().external("k1", json!({}))).await;
    assert_eq!(error_of(&forged).2, 50_013);
    assert_eq!(
        error_of(&assert_with(&lab, &demo, "no.token").await).2,
        50_027
    );
}

#[tokio::test]
async fn an_issuer_is_asked_for_its_keys_or_reported_unreachable() {
    let lab = Lab::demo().await;
    // The simulator's own Entra serves as a real issuer over TLS: discovery, then keys.
    let entra = lab.sim.address(azure_sim::Service::Entra).unwrap();
    let name = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let there = Issuer {
        issuer: name.clone(),
        discovery_url: Some(format!("https://{entra}/{TENANT}/v2.0")),
        ca: Some(lab.sim.ca_pem().to_owned()),
        ..Issuer::default()
    };
    let (exchange, demo) = federated(there).await;
    let stranger = Key::new().external("k1", json!({"iss": name}));
    let got = assert_with(&exchange, &demo, &stranger).await;
    assert_eq!(
        error_of(&got).2,
        7_000_272,
        "the keys were fetched, and none is the token's"
    );
    assert_eq!(lab.sim.counters().operations["entra.configuration"], 1);
    assert_eq!(lab.sim.counters().operations["entra.keys"], 1);

    let nobody = Issuer {
        issuer: ISSUER.into(),
        discovery_url: Some("https://127.0.0.1:1/".into()),
        ..Issuer::default()
    };
    let (exchange, demo) = federated(nobody).await;
    let got = assert_with(&exchange, &demo, &Key::new().external("k1", json!({}))).await;
    assert_eq!(error_of(&got), (400, "invalid_request".into(), 50_166));
}

#[tokio::test]
async fn a_credential_written_through_arm_is_effective() {
    let key = Key::new();
    let lab = Lab::demo().await;
    let seed = Seed {
        issuers: vec![issuer(key.key_set("k1"))],
        ..Seed::default()
    };
    lab.sim.merge_seed(&seed).unwrap();
    let arm = lab.arm().await;
    let made = arm.make_identity("web").await;
    let client = made["properties"]["clientId"].as_str().unwrap();
    let token = key.external("k1", json!({}));
    assert_eq!(
        error_of(&assert_with(&lab, client, &token).await).2,
        700_211
    );
    let path = format!(
        "{}/federatedIdentityCredentials/cluster?api-version=2023-01-31",
        identity_id("web")
    );
    let body =
        json!({"properties": {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}});
    assert_eq!(arm.put(&path, body).await.status, 201);
    let lag = Effect::Lag {
        seconds: None,
        calls: Some(1),
        spare_typed: false,
    };
    lab.sim.arm_fault(Fault::new(Operation::EntraToken, lag));
    assert_eq!(
        error_of(&assert_with(&lab, client, &token).await).2,
        700_213,
        "not everywhere yet"
    );
    assert_eq!(assert_with(&lab, client, &token).await.status, 200);
    arm.delete(&crate::harness::identity("web")).await;
    let deleted = assert_with(&lab, client, &token).await;
    assert_eq!(
        error_of(&deleted),
        (400, "unauthorized_client".into(), 700_016)
    );
}
