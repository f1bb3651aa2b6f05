//! Changing VMs and scale sets: the identity map, the long-running PATCH, and what is refused.

use azure_sim::{Effect, Fault, Operation, Options, Outcome, Seed};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::harness::{Got, Lab, identity_id, pool, vm1};

fn at(id: &str) -> String {
    format!("{id}?api-version=2024-07-01")
}

fn add(names: &[&str]) -> Value {
    let map: Map<_, _> = names.iter().map(|n| (identity_id(n), json!({}))).collect();
    json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": map}})
}

fn assigned(body: &Value) -> Vec<String> {
    let map = body["identity"]["userAssignedIdentities"].as_object();
    map.map(|m| {
        m.keys()
            .map(|k| k.rsplit('/').next().unwrap().to_owned())
            .collect()
    })
    .unwrap_or_default()
}

#[tokio::test]
async fn a_patch_merges_and_runs_until_its_operation_has_succeeded() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let slow = Effect::Async {
        polls: 2,
        retry_after: 100.0,
        outcome: Outcome::Succeeded,
        code: None,
    };
    lab.sim.arm_fault(Fault::new(Operation::VmssPatch, slow));
    let web = arm.make_identity("web").await;
    let patched = arm.patch(&at(&pool()), add(&["web"])).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    assert_eq!(
        patched.json()["properties"]["provisioningState"],
        "Updating"
    );
    assert_eq!(assigned(&patched.json()), ["demo", "web"]);
    let entry = &patched.json()["identity"]["userAssignedIdentities"]
        [identity_id("web").replace("resourceGroups", "resourcegroups")];
    assert_eq!(entry["clientId"], web["properties"]["clientId"]);
    assert_eq!(patched.header("retry-after"), "100");

    let rival = arm.patch(&at(&pool()), add(&["web"])).await;
    assert_eq!(rival.error(), (409, "Conflict".into()));

    let link = patched.header("azure-asyncoperation").to_owned();
    for expected in ["InProgress", "InProgress", "Succeeded", "Succeeded"] {
        let poll = arm.get(&link).await.json();
        assert_eq!(poll["status"], expected);
        assert_eq!(poll.get("endTime").is_some(), expected == "Succeeded");
    }
    let done = arm.get(&at(&pool())).await.json();
    assert_eq!(done["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn a_failed_operation_takes_its_change_back() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let preempted = Effect::Async {
        polls: 0,
        retry_after: 100.0,
        outcome: Outcome::Failed,
        code: Some("OperationPreempted".into()),
    };
    lab.sim
        .arm_fault(Fault::new(Operation::VmssPatch, preempted));
    let patched = arm.patch(&at(&pool()), add(&["web"])).await;
    let poll = arm.get(patched.header("azure-asyncoperation")).await.json();
    assert_eq!(
        (&poll["status"], &poll["error"]["code"]),
        (&json!("Failed"), &json!("OperationPreempted"))
    );
    let after = arm.get(&at(&pool())).await.json();
    assert_eq!(assigned(&after), ["demo"]);
    assert_eq!(after["properties"]["provisioningState"], "Failed");
}

#[tokio::test]
async fn types_decide_what_stays() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let patch = async |body: Value| {
        let got = arm.patch(&at(&pool()), body).await;
        assert_eq!(got.status, 200, "{}", got.text);
        got.json()
    };
    assert_eq!(assigned(&patch(add(&["web"])).await), ["demo", "web"]);
    let both = json!({"identity": {"type": "systemAssigned,userassigned"}});
    let body = patch(both).await;
    assert_eq!(body["identity"]["type"], "SystemAssigned, UserAssigned");
    let principal = body["identity"]["principalId"].clone();
    assert!(principal.is_string());
    let remove = json!({"identity": {"type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": {identity_id("web"): null}}});
    let body = patch(remove).await;
    assert_eq!(assigned(&body), ["demo"]);
    assert_eq!(
        body["identity"]["principalId"], principal,
        "the system identity stays the same"
    );
    let body = patch(json!({"identity": {"type": "SystemAssigned"}})).await;
    assert!(assigned(&body).is_empty());
    assert_eq!(
        patch(json!({"identity": {"type": "None"}}))
            .await
            .get("identity"),
        None
    );
}

#[tokio::test]
async fn the_last_identity_is_not_removed_under_its_own_type() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    let last = |typ: &str| json!({"identity": {"type": typ, "userAssignedIdentities": {identity_id("demo"): null}}});
    let refused = arm.patch(&at(&pool()), last("UserAssigned")).await;
    assert_eq!(refused.error(), (400, "MissingIdentityIds".into()));
    assert_eq!(arm.patch(&at(&pool()), last("None")).await.status, 200);
}

#[tokio::test]
async fn one_bad_identity_fails_the_whole_patch() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let got = arm.patch(&at(&pool()), add(&["web", "gone"])).await;
    assert_eq!(got.error(), (400, "FailedIdentityOperation".into()));
    let message = got.json()["error"]["message"].as_str().unwrap().to_owned();
    let gone = identity_id("gone").replace("resourceGroups", "resourcegroups");
    assert!(message.contains("Status: 'BadRequest'"), "{message}");
    assert!(
        message.contains(&format!("Resource '{gone}' was not found.")),
        "{message}"
    );
    assert_eq!(assigned(&arm.get(&at(&pool())).await.json()), ["demo"]);
}

#[tokio::test]
async fn assigning_needs_the_right_to_each_identity() {
    let mut seed = Seed::demo().unwrap();
    seed.role_assignments
        .retain(|a| a.role != "Managed Identity Operator");
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let got = arm.patch(&at(&pool()), add(&["web", "gone"])).await;
    assert_eq!(got.error(), (403, "LinkedAuthorizationFailed".into()));
    let [web, gone] =
        ["web", "gone"].map(|n| identity_id(n).replace("resourceGroups", "resourcegroups"));
    assert!(
        got.text
            .contains("'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'")
    );
    assert!(
        got.text
            .contains(&format!("linked scope(s) '{web},{gone}'")),
        "{}",
        got.text
    );
    assert!(got.text.contains("or the linked scope(s) are invalid"));
}

#[tokio::test]
async fn more_than_150_at_once_is_refused_in_its_own_words() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    let map: Map<_, _> = (0..151)
        .map(|n| (identity_id(&format!("id{n}")), Value::Null))
        .collect();
    let got = arm
        .patch(
            &at(&pool()),
            json!({"identity": {"type": "None", "userAssignedIdentities": map}}),
        )
        .await;
    assert_eq!(got.error(), (400, "FailedIdentityOperation".into()));
    assert!(got.text.contains(
        "User Assigned Identities Number '151' Assign exceed limit '150' in one request."
    ));
}

#[tokio::test]
async fn conditions_guard_a_change() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let etag = arm.get(&at(&vm1())).await.header("etag").to_owned();
    let patch = async |etag: &str| {
        let request = arm
            .request(Method::PATCH, &at(&vm1()))
            .header("If-Match", etag)
            .json(&add(&["web"]));
        Got::of(request.send().await.unwrap()).await
    };
    let first = patch(&etag).await;
    assert_eq!(first.status, 200);
    assert_ne!(first.header("etag"), etag);
    assert_eq!(
        patch(&etag).await.error(),
        (412, "PreconditionFailed".into())
    );
}

#[tokio::test]
async fn a_put_replaces_and_creates_nothing() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    arm.make_identity("web").await;
    let got = arm.put(&at(&pool()), add(&["web"])).await;
    assert_eq!(assigned(&got.json()), ["web"]);
    assert_eq!(
        assigned(
            &arm.put(&at(&pool()), json!({"location": "westeurope"}))
                .await
                .json()
        ),
        [""; 0]
    );
    let new = arm.put(&at(&vm1().replace("vm1", "vm9")), json!({})).await;
    assert_eq!(new.error(), (501, "NotSimulated".into()));
    assert_eq!(
        arm.get(&at(&vm1().replace("vm1", "vm9"))).await.error(),
        (404, "ResourceNotFound".into())
    );
}
