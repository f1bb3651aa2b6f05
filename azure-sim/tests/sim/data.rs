//! Key Vault and Blob Storage.

use azure_sim::{Options, RoleAssignment, Seed};

use crate::harness::{ARM, Got, Lab, NOBODY, OPERATOR, STORAGE, SUB, TENANT, VAULT, instance};

const SECRET: &str = "https://demovault.vault.azure.net/secrets/greeting?api-version=7.4";

async fn get(lab: &Lab, url: &str, token: Option<&str>) -> Got {
    let request = lab
        .http
        .get(lab.url(url))
        .header("x-ms-version", "2023-11-03");
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    Got::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn an_identity_of_a_vm_reads_the_secret_that_its_role_allows() {
    let lab = Lab::demo().await;
    let token = lab.imds(&instance(0)).token("").await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = get(&lab, SECRET, Some(&token)).await;
    assert_eq!((got.status, &got.json()["value"]), (200, &"hello".into()));
    let id = got.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("https://demovault.vault.azure.net/secrets/greeting/"));
    let by_version = get(&lab, &format!("{id}?api-version=7.4"), Some(&token)).await;
    assert_eq!(by_version.json()["value"], "hello");
    assert_eq!(
        get(&lab, &SECRET.replace("greeting", "other"), Some(&token))
            .await
            .error(),
        (404, "SecretNotFound".into())
    );
    assert_eq!(
        get(&lab, &SECRET.replace("?api-version=7.4", ""), Some(&token))
            .await
            .error()
            .0,
        400
    );
    let list = get(
        &lab,
        "https://demovault.vault.azure.net/secrets?api-version=7.4",
        Some(&token),
    )
    .await;
    assert_eq!(list.error(), (501, "NotSimulated".into()));
}

#[tokio::test]
async fn a_vault_challenges_and_refuses_in_azures_words() {
    let lab = Lab::demo().await;
    let bare = get(&lab, SECRET, None).await;
    assert_eq!(bare.error(), (401, "Unauthorized".into()));
    let challenge = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{TENANT}\", resource=\"{VAULT}\""
    );
    assert_eq!(bare.header("www-authenticate"), challenge);
    let wrong = get(&lab, SECRET, Some(&lab.token(OPERATOR, ARM).await)).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.contains(&format!(
        "AKV10022: Invalid audience. Expected {VAULT}, found: {ARM}"
    )));
    // Managing a vault's group is not reading its secrets.
    let refused = get(&lab, SECRET, Some(&lab.token(NOBODY, VAULT).await)).await;
    assert_eq!(refused.error(), (403, "Forbidden".into()));
    assert_eq!(
        refused.json()["error"]["innererror"]["code"],
        "ForbiddenByRbac"
    );
    let message = refused.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.starts_with("Caller is not authorized to perform action on resource."));
    let caller = format!(
        "Caller: appid={};oid={};iss=https://sts.windows.net/{TENANT}/",
        NOBODY.0,
        lab.object_id("nobody")
    );
    for line in [
        caller.as_str(),
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
        "Assignment: (not found)",
        "Vault: demovault;location=westeurope",
    ] {
        assert!(message.contains(line), "{message}");
    }
}

#[tokio::test]
async fn lists_of_storage_follow_the_role_and_its_scope() {
    let mut seed = Seed::demo().unwrap();
    let account = format!(
        "/subscriptions/{SUB}/resourceGroups/podid/providers/Microsoft.Storage/storageAccounts/demostore"
    );
    seed.role_assignments.push(RoleAssignment {
        role: "Storage Blob Data Reader".into(),
        principal: "nobody".into(),
        scope: format!("{account}/blobServices/default/containers/letters"),
        ..RoleAssignment::default()
    });
    seed.role_assignments.push(RoleAssignment {
        role: "Storage Blob Data Reader".into(),
        principal: "operator".into(),
        scope: account,
        ..RoleAssignment::default()
    });
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let root = "https://demostore.blob.core.windows.net";
    let (containers, blobs) = (
        format!("{root}/?comp=list"),
        format!("{root}/letters?restype=container&comp=list"),
    );
    let account_wide = lab.token(OPERATOR, STORAGE).await;
    let one_container = lab.token(NOBODY, root).await;

    let got = get(&lab, &containers, Some(&account_wide)).await;
    assert!(
        got.status == 200 && got.text.contains("<Name>letters</Name>"),
        "{}",
        got.text
    );
    let refused = get(&lab, &containers, Some(&one_container)).await;
    assert_eq!(
        (refused.status, refused.header("x-ms-error-code")),
        (403, "AuthorizationPermissionMismatch")
    );
    let first = get(&lab, &format!("{blobs}&maxresults=1"), Some(&one_container))
        .await
        .text;
    assert!(
        first.contains("first.txt") && first.contains("<NextMarker>second.txt</NextMarker>"),
        "{first}"
    );
    let second = get(
        &lab,
        &format!("{blobs}&marker=second.txt"),
        Some(&one_container),
    )
    .await
    .text;
    assert!(
        !second.contains("first.txt") && second.contains("<Content-Length>34</Content-Length>"),
        "{second}"
    );

    let bare = get(&lab, &containers, None).await;
    assert_eq!(
        (bare.status, bare.header("x-ms-error-code")),
        (401, "NoAuthenticationInformation")
    );
    let challenge = format!(
        "Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize resource_id=https://storage.azure.com"
    );
    assert_eq!(bare.header("www-authenticate"), challenge);
    let missing = get(
        &lab,
        &blobs.replace("letters", "nothing"),
        Some(&account_wide),
    )
    .await;
    assert_eq!(missing.header("x-ms-error-code"), "ContainerNotFound");
}
