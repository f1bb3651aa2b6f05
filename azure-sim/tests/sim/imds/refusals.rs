//! Requests that the metadata service refuses.

use serde_json::json;

use super::token::TOKEN;
use crate::harness::{Got, Lab, VAULT, instance};

#[tokio::test]
async fn requests_that_imds_refuses() {
    let lab = Lab::demo().await;
    let imds = lab.imds(&instance(0));
    let send =
        async |request: reqwest::RequestBuilder| Got::of(request.send().await.unwrap()).await;
    let path = format!("{TOKEN}&resource={VAULT}");
    let bare = send(imds.request(&path)).await;
    assert_eq!(
        (bare.status, &bare.json()["error_description"]),
        (400, &json!("Required metadata header not specified"))
    );
    let probe = send(imds.request("/metadata/identity/oauth2/token")).await;
    assert_eq!(probe.status, 400);
    let forwarded = send(
        imds.request(&path)
            .header("Metadata", "true")
            .header("X-Forwarded-For", "1.2.3.4"),
    )
    .await;
    assert_eq!(forwarded.status, 400);
    let capital = send(
        imds.request(&path.replace("/metadata", "/MetaData"))
            .header("metadata", "True"),
    )
    .await;
    assert_eq!(capital.status, 200);
    let post = send(
        lab.http
            .post(format!("http://{}{path}", imds.at))
            .header("Metadata", "true"),
    )
    .await;
    assert_eq!(
        (post.status, &post.json()["error"]),
        (405, &json!("method_not_allowed"))
    );

    assert_eq!(
        imds.get(&path.replace("/oauth2/", "/OAuth2/")).await.status,
        404,
        "the rest is case-sensitive"
    );
    for v2 in [
        "getplatformmetadata?cred-api-version=2.0",
        "issuecredential",
    ] {
        assert_eq!(
            imds.get(&format!("/metadata/identity/{v2}")).await.json()["error"],
            "not_found"
        );
    }
    let resource = imds.get(TOKEN).await;
    assert_eq!(
        (resource.status, &resource.json()["error"]),
        (400, &json!("invalid_request"))
    );
    let odd = imds
        .get(&format!("{TOKEN}&resource=https://nothing.example"))
        .await;
    assert_eq!(
        (odd.status, &odd.json()["error"]),
        (400, &json!("invalid_resource"))
    );
    assert!(
        odd.json()["error_description"]
            .as_str()
            .unwrap()
            .starts_with("AADSTS500011: ")
    );
    for version in [
        "",
        "?api-version=",
        "?api-version=2018-01-01",
        "?api-version=2017-12-01",
    ] {
        let got = imds
            .get(&format!("/metadata/identity/oauth2/token{version}"))
            .await;
        assert_eq!(
            (got.status, &got.json()["newest-versions"][0]),
            (400, &json!("2025-04-07")),
            "{version}"
        );
    }
}
