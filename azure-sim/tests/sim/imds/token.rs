//! Tokens for the VM's own identities, and their exact form.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Lab, TENANT, VAULT, claims, identity, identity_id, instance, pool, vm1};

/// Path of a token request, without the resource.
pub(super) const TOKEN: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01";

#[tokio::test]
async fn a_token_comes_in_the_exact_form_all_sdks_take() {
    let lab = Lab::demo().await;
    let got = lab.imds(&instance(0)).token("").await;
    assert_eq!(got.status, 200, "{}", got.text);
    assert_eq!(
        got.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert!(got.header("server").starts_with("IMDS/"));
    let body = got.json();
    let keys: BTreeSet<_> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "access_token",
        "client_id",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "not_before",
        "resource",
        "token_type",
    ];
    assert_eq!(keys, BTreeSet::from(expected));
    assert!(
        body.as_object().unwrap().values().all(Value::is_string),
        "every value is a string"
    );
    assert!(got.text.find("expires_in\"").unwrap() < got.text.find("expires_on\"").unwrap());
    let left: i64 = body["expires_in"].as_str().unwrap().parse().unwrap();
    assert!((86_000..=86_400).contains(&left));

    let claims = claims(body["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], VAULT);
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{TENANT}/"));
    assert_eq!(claims["appid"], body["client_id"]);
    assert_eq!(
        claims["xms_mirid"],
        identity_id("demo").replace("resourceGroups", "resourcegroups")
    );
    assert_eq!(claims["xms_az_rid"], pool());
    assert_eq!(claims["oid"], claims["sub"]);
}

#[tokio::test]
async fn the_metadata_service_caches_tokens() {
    let lab = Lab::demo().await;
    let imds = lab.imds(&instance(0));
    let first = imds.token("").await.json()["access_token"].clone();
    assert_eq!(
        imds.token("&bypass_cache=true").await.json()["access_token"],
        first
    );
}

#[tokio::test]
async fn four_selectors_name_an_identity_and_only_one_may() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let demo = arm.get(&identity("demo")).await.json()["properties"].clone();
    let imds = lab.imds(&instance(1));
    let (client, object) = (
        demo["clientId"].as_str().unwrap(),
        demo["principalId"].as_str().unwrap(),
    );
    let shouted = identity_id("DEMO");
    for query in [
        format!("&client_id={client}"),
        format!("&client_id={}", client.to_uppercase()),
        format!("&object_id={object}"),
        format!("&msi_res_id={shouted}"),
        format!("&mi_res_id={shouted}"),
    ] {
        let got = imds.token(&query).await;
        assert_eq!(
            got.json()["client_id"],
            demo["clientId"],
            "{query}: {}",
            got.text
        );
    }
    let two = imds
        .token(&format!("&client_id={client}&object_id={object}"))
        .await;
    assert_eq!(
        (two.status, &two.json()["error"]),
        (400, &json!("invalid_request"))
    );
    let twice = imds
        .token(&format!("&client_id={client}&client_id={client}"))
        .await;
    assert_eq!(twice.status, 400);
}

#[tokio::test]
async fn a_vm_gets_tokens_for_its_own_identities_only() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    let not_found = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
    let demo = arm.get(&identity("demo")).await.json()["properties"]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    let vm = lab.imds(&vm1());
    assert_eq!(vm.token("").await.text, not_found);
    assert_eq!(
        vm.token(&format!("&client_id={demo}")).await.text,
        not_found,
        "it is on the scale set only"
    );

    let web = arm.make_identity("web").await;
    let put = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_id("web"): {}}}});
    assert_eq!(
        arm.patch(&format!("{}?api-version=2024-07-01", pool()), put)
            .await
            .status,
        200
    );
    let set = lab.imds(&instance(0));
    let got = set.token("").await;
    assert_eq!(
        got.json()["error_description"],
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
    );
    let web = web["properties"]["clientId"].as_str().unwrap();
    assert_eq!(set.token(&format!("&client_id={web}")).await.status, 200);

    assert_eq!(arm.delete(&identity("web")).await.status, 200);
    assert_eq!(
        set.token(&format!("&client_id={web}")).await.text,
        not_found
    );
    let anew = arm.make_identity("web").await["properties"]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        set.token(&format!("&client_id={anew}")).await.text,
        not_found,
        "the VM has the old one"
    );
    assert_eq!(
        set.token(&format!("&msi_res_id={}", identity_id("web")))
            .await
            .text,
        not_found
    );
}

#[tokio::test]
async fn a_system_identity_comes_first() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    let both = json!({"identity": {"type": "SystemAssigned, UserAssigned"}});
    let patched = arm
        .patch(&format!("{}?api-version=2024-07-01", pool()), both)
        .await
        .json();
    let got = lab.imds(&instance(0)).token("").await.json();
    let claims = claims(got["access_token"].as_str().unwrap());
    assert_eq!(claims["oid"], patched["identity"]["principalId"]);
    assert_eq!(
        claims["xms_mirid"].as_str().unwrap().to_lowercase(),
        instance(0).to_lowercase()
    );
}
