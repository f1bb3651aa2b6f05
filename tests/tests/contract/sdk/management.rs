//! azure-mgmt-msi, azure-mgmt-authorization and azure-mgmt-compute.

use azure_sim::{DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Preset};
use serde_json::{Value, json};

use super::cloud::Cloud;

fn is_refusal(seen: &Value, class: &str, status: u16, code: &str) {
    let found = [&seen["class"], &seen["status"], &seen["code"]];
    assert_eq!(
        found,
        [&json!(class), &json!(status), &json!(code)],
        "{}",
        seen["message"]
    );
}

#[tokio::test]
async fn an_identity_lives_and_dies_through_the_sdk() {
    let cloud = Cloud::start().await;
    let seen = cloud.run("identities.py").await;
    let id = format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/resourcegroups/podid/providers/Microsoft.ManagedIdentity/userAssignedIdentities/web"
    );
    assert_eq!(seen["made"]["id"], id);
    assert_eq!(seen["made"]["location"], "westeurope");
    assert_eq!(
        (&seen["same_ids"], &seen["tags"], &seen["tenant"]),
        (&json!(true), &json!({"a": "2"}), &json!(DEFAULT_TENANT))
    );
    assert_eq!(seen["federated"]["listed"], json!(["s"]));
    assert_eq!(seen["in_group"], json!(["demo", "web"]));
    is_refusal(
        &seen["in_subscription"],
        "HttpResponseError",
        403,
        "AuthorizationFailed",
    );
    is_refusal(
        &seen["gone"],
        "ResourceNotFoundError",
        404,
        "ResourceNotFound",
    );
    is_refusal(
        &seen["bad_name"],
        "HttpResponseError",
        400,
        "InvalidResourceName",
    );
}

#[tokio::test]
async fn a_role_is_found_granted_and_taken_away_through_the_sdk() {
    let cloud = Cloud::start().await;
    let seen = cloud.run("roles.py").await;
    assert_eq!(
        seen["role"],
        json!({"name": "Reader", "type": "BuiltInRole", "actions": ["*/read"]})
    );
    let group = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/podid");
    assert_eq!(
        seen["made"],
        json!({"scope": group, "principal_type": "ServicePrincipal", "by": null})
    );
    for step in ["repeated", "listed", "read", "deleted", "deleted_again"] {
        assert_eq!(seen[step], true, "{step}");
    }
    is_refusal(
        &seen["twin"],
        "ResourceExistsError",
        409,
        "RoleAssignmentExists",
    );
    is_refusal(
        &seen["ghost"],
        "HttpResponseError",
        400,
        "PrincipalNotFound",
    );
    is_refusal(
        &seen["beyond"],
        "HttpResponseError",
        403,
        "AuthorizationFailed",
    );
    is_refusal(
        &seen["gone"],
        "ResourceNotFoundError",
        404,
        "RoleAssignmentNotFound",
    );
}

#[tokio::test]
async fn identities_go_on_and_off_machines_through_the_sdks_poller() {
    let cloud = Cloud::start().await;
    let seen = cloud.run("compute.py").await;
    assert_eq!(
        seen["before"],
        json!({"names": ["demo"], "state": "Succeeded", "mode": "Uniform"})
    );
    assert_eq!(
        seen["added"],
        json!({"names": ["demo", "web"], "state": "Succeeded"})
    );
    assert_eq!(seen["client"], true);
    assert_eq!(
        seen["both"],
        json!({"names": ["demo", "web"], "type": "SystemAssigned, UserAssigned", "has_principal": true})
    );
    assert_eq!(
        (&seen["removed"], &seen["machine"]),
        (&json!(["demo"]), &json!(["web"]))
    );
    is_refusal(
        &seen["missing"],
        "HttpResponseError",
        400,
        "FailedIdentityOperation",
    );
    is_refusal(
        &seen["unsaid"],
        "HttpResponseError",
        400,
        "FailedIdentityOperation",
    );
    is_refusal(
        &seen["stale"],
        "ResourceModifiedError",
        412,
        "PreconditionFailed",
    );
    assert_eq!(
        seen["instances"],
        json!([["0", "pool1000000", true], ["1", "pool1000001", true]])
    );
    assert_eq!(seen["listed"], json!([["pool1"], ["vm1"]]));
    let counters = cloud.sim.counters();
    assert!(
        counters.operations["arm.operation.get"] >= 4,
        "the SDK polls: {counters:?}"
    );
}

#[tokio::test]
async fn the_sdk_gets_over_throttling_slow_changes_and_html() {
    let cloud = Cloud::start().await;
    for preset in [Preset::ArmThrottle, Preset::SlowAsync, Preset::ServerErrors] {
        let fault = cloud.sim.preset(preset).expect("a preset");
        // The SDK gives up after three answers of that kind to one request.
        let fault = fault.times(if preset == Preset::ServerErrors { 2 } else { 1 });
        cloud.sim.arm_fault(fault);
    }
    let seen = cloud.run("compute.py").await;
    assert_eq!(
        seen["added"],
        json!({"names": ["demo", "web"], "state": "Succeeded"})
    );
    for fault in cloud.sim.faults() {
        assert!(fault.matched > 0, "{:?} matched no call", fault.fault.name);
    }
}
