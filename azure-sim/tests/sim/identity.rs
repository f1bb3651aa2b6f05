//! Managed identities and their federated credentials.

use azure_sim::{Options, Seed};
use serde_json::json;

use crate::harness::{ARM, Got, Lab, NOBODY, OPERATOR, SUB, VAULT, identity, identity_id};

#[tokio::test]
async fn an_identity_is_made_changed_found_and_deleted() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let body = json!({"location": "West Europe", "tags": {"a": "1"}});
    let made = arm.put(&identity("web"), body.clone()).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(
        made["id"],
        identity_id("web").replace("resourceGroups", "resourcegroups")
    );
    assert_eq!(
        made["type"],
        "Microsoft.ManagedIdentity/userAssignedIdentities"
    );
    assert_eq!(made["properties"].get("isolationScope"), None);

    let again = arm.put(&identity("web"), body).await;
    assert_eq!(again.status, 200);
    assert_eq!(
        again.json()["properties"],
        made["properties"],
        "a PUT is idempotent"
    );

    let shouted = arm
        .get(&identity("WEB").replace("resourceGroups", "RESOURCEGROUPS"))
        .await;
    assert_eq!(
        shouted.json()["properties"],
        made["properties"],
        "ids are the same in any case"
    );
    let newer = arm
        .get(&identity("web").replace("2023-01-31", "2024-11-30"))
        .await;
    assert_eq!(newer.json()["properties"]["isolationScope"], "None");

    let patched = arm
        .patch(&identity("web"), json!({"tags": {"b": "2"}}))
        .await;
    assert_eq!(
        (patched.status, &patched.json()["tags"]),
        (200, &json!({"b": "2"}))
    );

    assert_eq!(arm.delete(&identity("web")).await.status, 200);
    assert_eq!(arm.delete(&identity("web")).await.status, 204);
    assert_eq!(
        arm.get(&identity("web")).await.error(),
        (404, "ResourceNotFound".into())
    );
    let anew = arm.make_identity("web").await;
    assert_ne!(
        anew["properties"]["principalId"],
        made["properties"]["principalId"]
    );
}

#[tokio::test]
async fn an_identity_cannot_move_and_needs_a_fitting_name() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let moved = arm
        .put(&identity("web"), json!({"location": "eastus"}))
        .await;
    assert_eq!(moved.error(), (409, "InvalidResourceLocation".into()));
    for name in ["ab", "-web", "w.eb"] {
        let got = arm
            .put(&identity(name), json!({"location": "westeurope"}))
            .await;
        assert_eq!(got.error(), (400, "InvalidResourceName".into()), "{name}");
    }
    assert_eq!(
        arm.put(&identity("web"), json!({})).await.error(),
        (400, "LocationRequired".into())
    );
    assert_eq!(
        arm.put(&identity("web"), json!([])).await.error(),
        (400, "InvalidRequestContent".into())
    );
}

#[tokio::test]
async fn arm_checks_token_version_and_containers_in_turn() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let path = identity("demo");
    let bare = lab
        .http
        .get(lab.url(&format!("{}{path}", ARM)))
        .send()
        .await
        .unwrap();
    let bare = Got::of(bare).await;
    assert_eq!(bare.error(), (401, "AuthenticationFailed".into()));
    assert!(
        bare.header("www-authenticate")
            .starts_with("Bearer realm=\"\", authorization_uri=")
    );

    let other = arm.with_token(lab.token(OPERATOR, VAULT).await);
    assert_eq!(
        other.get(&path).await.error(),
        (401, "InvalidAuthenticationTokenAudience".into())
    );
    let broken = arm.with_token("x.y.z");
    assert_eq!(
        broken.get(&path).await.error(),
        (401, "InvalidAuthenticationToken".into())
    );

    let bare = identity_id("demo");
    assert_eq!(
        arm.get(&bare).await.error(),
        (400, "MissingApiVersionParameter".into())
    );
    let newest = format!("{bare}?api-version=newest");
    assert_eq!(
        arm.get(&newest).await.error(),
        (400, "InvalidApiVersionParameter".into())
    );
    let old = format!("{bare}?api-version=2015-08-31");
    assert_eq!(
        arm.get(&old).await.error(),
        (400, "NoRegisteredProviderFound".into())
    );
    let elsewhere = path.replace(SUB, "20000000-0000-4000-8000-00000000000f");
    assert_eq!(
        arm.get(&elsewhere).await.error(),
        (404, "SubscriptionNotFound".into())
    );
    let odd = path.replace("Microsoft.ManagedIdentity", "Microsoft.Nothing");
    assert_eq!(
        arm.get(&odd).await.error(),
        (404, "InvalidResourceType".into())
    );
}

#[tokio::test]
async fn without_a_role_there_is_neither_reading_nor_writing() {
    let lab = Lab::demo().await;
    let arm = lab.arm_as(NOBODY).await;
    let got = arm.get(&identity("demo")).await;
    assert_eq!(got.error(), (403, "AuthorizationFailed".into()));
    let message = got.json()["error"]["message"].as_str().unwrap().to_owned();
    let oid = lab.object_id("nobody");
    assert!(message.starts_with(&format!("The client '{}' with object id '{oid}' does not have authorization to perform action 'Microsoft.ManagedIdentity/userAssignedIdentities/read' over scope '", NOBODY.0)), "{message}");
    let put = arm
        .put(&identity("web"), json!({"location": "westeurope"}))
        .await;
    assert_eq!(put.error(), (403, "AuthorizationFailed".into()));
    // A role on one group says nothing about another.
    let operator = lab.arm().await;
    let elsewhere = operator
        .get(&identity("demo").replace("/podid/", "/nodes/"))
        .await;
    assert_eq!(elsewhere.error(), (403, "AuthorizationFailed".into()));
}

#[tokio::test]
async fn lists_have_pages_and_state_the_remaining_requests() {
    let options = Options {
        seed: Seed::demo().unwrap(),
        page_size: 2,
        ..Options::default()
    };
    let lab = Lab::start(options).await;
    let arm = lab.arm().await;
    for name in ["one", "two", "three", "four"] {
        arm.make_identity(name).await;
    }
    let mut next = identity("").replace("/userAssignedIdentities/?", "/userAssignedIdentities?");
    let mut names = Vec::new();
    let mut pages = 0;
    loop {
        let got = arm.get(&next).await;
        assert_eq!(got.status, 200, "{}", got.text);
        assert!(
            got.header("x-ms-ratelimit-remaining-subscription-reads")
                .parse::<u32>()
                .unwrap()
                < 250
        );
        assert!(!got.header("x-ms-request-id").is_empty());
        let page = got.json();
        names.extend(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| i["name"].clone()),
        );
        pages += 1;
        match page["nextLink"].as_str() {
            Some(link) => next = link.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(names, ["demo", "four", "one", "three", "two"]);
}

#[tokio::test]
async fn federated_credentials_keep_azures_rules() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let path = |name: &str| {
        format!(
            "{}/federatedIdentityCredentials/{name}?api-version=2023-01-31",
            identity_id("demo")
        )
    };
    let body = |subject: &str| {
        json!({"properties": {
            "issuer": "https://issuer.example/", "subject": subject, "audiences": ["api://AzureADTokenExchange"],
        }})
    };
    assert_eq!(arm.put(&path("one"), body("a")).await.status, 201);
    assert_eq!(arm.put(&path("one"), body("a")).await.status, 200);
    let twin = arm.put(&path("two"), body("a")).await;
    assert_eq!(twin.error(), (400, "BadRequest".into()));
    assert!(
        twin.text
            .contains("Issuer and subject combination already exists")
    );
    assert_eq!(
        arm.put(&path("x"), body("b")).await.status,
        400,
        "a name has three characters"
    );
    let two = json!({"properties": {"issuer": "i", "subject": "s", "audiences": ["a", "b"]}});
    assert_eq!(arm.put(&path("two"), two).await.status, 400, "one audience");
    for n in 0..19 {
        assert_eq!(
            arm.put(&path(&format!("more{n}")), body(&n.to_string()))
                .await
                .status,
            201
        );
    }
    assert_eq!(
        arm.put(&path("toomany"), body("z")).await.status,
        400,
        "twenty at most"
    );
    assert_eq!(
        arm.get(&path("one")).await.json()["properties"]["subject"],
        "a"
    );
    assert_eq!(arm.delete(&path("one")).await.status, 200);
    assert_eq!(arm.delete(&path("one")).await.status, 204);
    assert_eq!(
        arm.get(&path("one")).await.error(),
        (404, "ResourceNotFound".into())
    );
}
