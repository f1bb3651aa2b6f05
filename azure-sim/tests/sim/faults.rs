//! The effect of each preset, and that a fault applies to the calls it selects only.

use azure_sim::{AzureSim, Effect, Fault, Operation, Options, Preset, Seed};
use serde_json::{Value, json};

use crate::harness::{Lab, SUB, identity, identity_id, instance, pool};

fn preset(sim: &AzureSim, preset: Preset) -> Fault {
    sim.preset(preset).unwrap()
}

fn add(name: &str) -> Value {
    json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_id(name): {}}}})
}

fn at_pool() -> String {
    format!("{}?api-version=2024-07-01", pool())
}

fn role(scope: &str) -> String {
    format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/40000000-0000-4000-8000-000000000001?api-version=2022-04-01"
    )
}

#[tokio::test]
async fn arm_throttles_once_and_says_for_how_long() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    lab.sim.arm_fault(preset(&lab.sim, Preset::ArmThrottle));
    let got = arm.get(&identity("demo")).await;
    assert_eq!(got.error(), (429, "SubscriptionRequestsThrottled".into()));
    assert_eq!(got.header("retry-after"), "7");
    assert_eq!(
        got.header("x-ms-ratelimit-remaining-subscription-writes"),
        "0"
    );
    assert!(got.text.contains("Please try again after '7' seconds."));
    assert_eq!(arm.get(&identity("demo")).await.status, 200);
    let calls = lab.sim.calls(Some(&"arm.identity.get".parse().unwrap()));
    assert_eq!(calls[0].fault.as_deref(), Some("arm-throttle"));
    assert_eq!(calls[1].fault, None);
}

#[tokio::test]
async fn a_slow_change_is_in_progress_for_three_polls() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    lab.sim.arm_fault(preset(&lab.sim, Preset::SlowAsync));
    arm.make_identity("web").await;
    let patched = arm.patch(&at_pool(), add("web")).await;
    assert_eq!(patched.header("retry-after"), "10");
    let link = patched.header("azure-asyncoperation").to_owned();
    for expected in ["InProgress", "InProgress", "InProgress", "Succeeded"] {
        assert_eq!(arm.get(&link).await.json()["status"], expected);
    }
}

#[tokio::test]
async fn server_errors_come_in_html() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    lab.sim
        .arm_fault(preset(&lab.sim, Preset::ServerErrors).times(2));
    for _ in 0..2 {
        let got = arm.get(&identity("demo")).await;
        assert_eq!(got.status, 502);
        assert!(
            got.header("content-type").starts_with("text/html") && got.text.starts_with("<html>")
        );
    }
    assert_eq!(arm.get(&identity("demo")).await.status, 200);
}

#[tokio::test]
async fn what_was_just_written_reads_as_missing() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    lab.sim.arm_fault(preset(&lab.sim, Preset::ReadAfterWrite));
    arm.make_identity("web").await;
    for expected in [404, 404, 404, 200] {
        assert_eq!(arm.get(&identity("web")).await.status, expected);
    }
}

#[tokio::test]
async fn a_new_principal_is_not_found_unless_the_request_has_its_type() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    lab.sim
        .arm_fault(preset(&lab.sim, Preset::PrincipalReplication));
    let principal = arm.make_identity("web").await["properties"]["principalId"].clone();
    let group = format!("/subscriptions/{SUB}/resourceGroups/podid");
    let definition = format!(
        "{group}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    );
    let mut body =
        json!({"properties": {"roleDefinitionId": definition, "principalId": principal}});
    assert_eq!(
        arm.put(&role(&group), body.clone()).await.error(),
        (400, "PrincipalNotFound".into())
    );
    body["properties"]["principalType"] = json!("ServicePrincipal");
    assert_eq!(arm.put(&role(&group), body).await.status, 201);
}

#[tokio::test]
async fn a_poisoned_identity_fails_every_patch_that_contains_it() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    arm.make_identity("bad").await;
    arm.make_identity("good").await;
    lab.sim
        .arm_fault(preset(&lab.sim, Preset::PoisonedIdentity).on("/bad"));
    let mut both = add("bad");
    both["identity"]["userAssignedIdentities"][identity_id("good")] = json!({});
    assert_eq!(
        arm.patch(&at_pool(), both).await.error(),
        (400, "FailedIdentityOperation".into())
    );
    assert_eq!(arm.patch(&at_pool(), add("good")).await.status, 200);
}

#[tokio::test]
async fn imds_updates_for_a_while() {
    let seed = Seed::demo().unwrap();
    let lab = Lab::start(Options {
        seed,
        speed: 1e6,
        ..Options::default()
    })
    .await;
    let imds = lab.imds(&instance(0));
    lab.sim.arm_fault(Fault {
        seconds: Some(1e12),
        ..preset(&lab.sim, Preset::ImdsUpdating)
    });
    assert_eq!(imds.token("").await.status, 410);
    lab.sim.clear_faults();
    lab.sim.arm_fault(Fault {
        seconds: Some(0.0),
        ..preset(&lab.sim, Preset::ImdsUpdating)
    });
    assert_eq!(imds.token("").await.status, 200);
}

#[tokio::test]
async fn imds_learns_of_an_identity_late() {
    let lab = Lab::quick().await;
    let arm = lab.arm().await;
    let web = arm.make_identity("web").await["properties"]["clientId"]
        .as_str()
        .unwrap()
        .to_owned();
    lab.sim
        .arm_fault(preset(&lab.sim, Preset::IdentityLag).on("/web"));
    assert_eq!(arm.patch(&at_pool(), add("web")).await.status, 200);
    let imds = lab.imds(&instance(0));
    let got = imds.token(&format!("&client_id={web}")).await;
    assert_eq!(got.json()["error_description"], "Identity not found");
    assert_eq!(
        imds.token("").await.status,
        200,
        "the other identity is as it was"
    );
    lab.sim.clear_faults();
    assert_eq!(imds.token(&format!("&client_id={web}")).await.status, 200);
}

#[tokio::test]
async fn a_dropped_call_is_logged_and_not_done() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    lab.sim
        .arm_fault(Fault::new(Operation::IdentityPut, Effect::Drop).times(1));
    let request = arm.request(reqwest::Method::PUT, &identity("web"));
    assert!(
        request
            .json(&json!({"location": "westeurope"}))
            .send()
            .await
            .is_err()
    );
    assert_eq!(lab.sim.counters().outcomes["arm.identity.put 0"], 1);
    assert_eq!(arm.get(&identity("web")).await.status, 404);
}

#[tokio::test]
async fn an_answer_can_be_altered_on_its_way_out() {
    let lab = Lab::demo().await;
    let merge = Some(json!({"expires_in": "60"}));
    let alter = Effect::Alter {
        status: None,
        headers: [].into(),
        merge,
    };
    lab.sim.arm_fault(Fault::new(Operation::ImdsToken, alter));
    let got = lab.imds(&instance(0)).token("").await.json();
    assert_eq!(got["expires_in"], "60");
    assert!(got["access_token"].is_string());
}

#[tokio::test]
async fn a_lag_delays_a_role_at_a_vault() {
    let lab = Lab::demo().await;
    let lag = Effect::Lag {
        seconds: None,
        calls: Some(2),
        spare_typed: false,
    };
    lab.sim.arm_fault(Fault::new(Operation::SecretGet, lag));
    let token = lab.imds(&instance(0)).token("").await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = lab.url("https://demovault.vault.azure.net/secrets/greeting?api-version=7.4");
    for expected in [403, 403, 200] {
        let got = lab.http.get(&url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(got.status(), expected);
    }
}

#[tokio::test]
async fn a_fault_on_token_requests_can_select_one_client() {
    let lab = Lab::demo().await;
    let drop = Fault::new(Operation::EntraToken, Effect::Drop);
    lab.sim.arm_fault(drop.on(crate::harness::NOBODY.0));
    lab.arm().await;
    let calls = lab.sim.calls(Some(&"entra.token".parse().unwrap()));
    assert!(
        calls[0].resource.ends_with(crate::harness::OPERATOR.0),
        "{calls:?}"
    );
}
