//! azure-keyvault-secrets and azure-storage-blob.

use serde_json::json;

use super::cloud::Cloud;

#[tokio::test]
async fn data_is_read_by_the_identity_that_may_and_by_no_other() {
    let cloud = Cloud::start()
        .await
        .with_client("30000000-0000-4000-8000-000000000002", "nobody-secret");
    let seen = cloud.run("data.py").await;
    assert_eq!(
        seen["secret"],
        json!({"value": "hello", "name": "greeting", "version": 32})
    );
    assert_eq!(seen["by_version"], "hello");
    assert_eq!(seen["containers"], json!(["letters"]));
    assert_eq!(
        seen["blobs"],
        json!([["first.txt", 12], ["second.txt", 34]])
    );
    let refusals = [
        ("no_secret", "ResourceNotFoundError", 404, "SecretNotFound"),
        ("no_role", "HttpResponseError", 403, "Forbidden"),
        (
            "no_container",
            "ResourceNotFoundError",
            404,
            "ContainerNotFound",
        ),
        (
            "no_blob_role",
            "HttpResponseError",
            403,
            "AuthorizationPermissionMismatch",
        ),
    ];
    for (call, class, status, code) in refusals {
        let refusal = &seen[call];
        let found = json!([refusal["class"], refusal["status"]]);
        assert_eq!(found, json!([class, status]), "{call}: {refusal}");
        let named = refusal["code"] == code || refusal["message"].to_string().contains(code);
        assert!(named, "{call}: {refusal}");
    }
}
