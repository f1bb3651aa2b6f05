//! azure-identity.

use azure_sim::DEFAULT_TENANT;
use serde_json::{Value, json};

use super::cloud::{Cloud, OPERATOR};

fn is_token_for(seen: &Value, client: &str) {
    assert_eq!(seen["aud"], "https://vault.azure.net", "{seen}");
    assert_eq!(seen["appid"], client, "{seen}");
    assert_eq!(seen["tid"], DEFAULT_TENANT, "{seen}");
}

fn is_failure(seen: &Value, class: &str, text: &str) {
    assert_eq!(seen["class"], class, "{seen}");
    assert!(
        seen["message"].as_str().is_some_and(|m| m.contains(text)),
        "{seen}"
    );
}

#[tokio::test]
async fn every_credential_gets_its_token() {
    let cloud = Cloud::start().await;
    let demo = cloud.sim.state()["identities"][0].clone();
    let client = demo["clientId"].as_str().expect("a client id").to_owned();
    let seen = cloud.run("tokens.py").await;
    for own in ["secret", "certificate", "assertion"] {
        is_token_for(&seen[own], OPERATOR);
        assert_eq!(seen[own]["xms_mirid"], Value::Null);
    }
    is_token_for(&seen["workload"], &client);
    for (way, token) in seen["managed"].as_object().expect("an object") {
        is_token_for(token, &client);
        assert_eq!(token["xms_mirid"], demo["id"], "{way}");
    }
    is_failure(
        &seen["wrong_secret"],
        "ClientAuthenticationError",
        "AADSTS7000215",
    );
    is_failure(
        &seen["wrong_tenant"],
        "ClientAuthenticationError",
        "Unable to get authority configuration",
    );
    is_failure(
        &seen["unassigned"],
        "CredentialUnavailableError",
        "Identity not found",
    );
}

#[tokio::test]
async fn the_sdk_asks_imds_as_the_contracts_say() {
    let cloud = Cloud::start().await;
    cloud.run("tokens.py").await;
    let calls = cloud.sim.calls(Some(&"imds.*".parse().expect("a pattern")));
    let paths: std::collections::BTreeSet<_> = calls.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["/metadata/identity/oauth2/token"].into());
    let statuses: std::collections::BTreeSet<_> = calls.iter().map(|c| c.status).collect();
    assert_eq!(
        json!(statuses),
        json!([200, 400]),
        "a probe without the header ends in 400"
    );
}
