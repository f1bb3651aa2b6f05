//! Words that YAML reads as something else, sent to the API server as the file has them.

use http_body_util::BodyExt;
use serde_json::Value;

use crate::fixture::Space;

/// What the API server says of a profile with this line in its spec.
async fn said(space: &Space, line: &str) -> (u16, String) {
    let text = format!(
        "apiVersion: podid.dev/v1alpha1\nkind: PodIdentityProfile\nmetadata: {{name: bare}}\nspec:\n  \
         className: standard\n  {line}\n"
    );
    let path = format!(
        "/apis/podid.dev/v1alpha1/namespaces/{}/podidentityprofiles?dryRun=All",
        space.name
    );
    let request = http::Request::post(path)
        .header("content-type", "application/yaml")
        .body(kube::client::Body::from(text.into_bytes()))
        .unwrap();
    let answer = space.client.send(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let message = body["message"].as_str().unwrap_or_default();
    (status, message.to_owned())
}

#[tokio::test]
async fn a_mode_that_yaml_reads_as_a_truth_value_is_refused_with_its_field() {
    let space = Space::new("bare-words").await;
    for bare in ["Off", "off", "OFF", "No", "false"] {
        let (status, message) = said(&space, &format!("netRaw: {bare}")).await;
        assert_eq!(status, 422, "{bare}: {message}");
        for words in ["spec.netRaw", "must be of type string", "boolean"] {
            assert!(
                message.contains(words),
                "{bare}: {words:?} is not in: {message}"
            );
        }
    }
    for quoted in ["'Off'", "\"off\""] {
        let (status, message) = said(&space, &format!("netRaw: {quoted}")).await;
        assert_eq!(status, 422, "{quoted}: {message}");
        let words = r#"supported values: "Enforce", "Audit", "Ignore""#;
        assert!(message.contains(words), "{quoted}: {message}");
    }
    let (status, message) = said(&space, "netRaw: Ignore").await;
    assert_eq!(status, 201, "the word needs no quotes: {message}");
}
