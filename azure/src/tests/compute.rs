use serde_json::{Value, json};

use super::cloud::{Canned, CannedAnswer};
use crate::{
    ArmCompute, AzureError, Compute, ComputeIdentity, ComputeTarget, ErrorClass, IdentityId,
    IdentityPatch, ResourceGroupId, Result,
};

const PATH: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/pool";

fn target() -> ComputeTarget {
    ComputeTarget::ScaleSet {
        group: ResourceGroupId::new("s", "g"),
        name: "pool".to_owned(),
    }
}

fn id(name: &str) -> IdentityId {
    IdentityId::new("s", "g", name)
}

/// A scale set with its own identity and the named ones, with the read-only values Azure adds.
fn scale_set(state: &str, names: &[&str]) -> CannedAnswer {
    let known = json!({"principalId": "p", "clientId": "c"});
    let map: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| (id(name).to_string().to_uppercase(), known.clone()))
        .collect();
    let kind = if names.is_empty() {
        "SystemAssigned"
    } else {
        "SystemAssigned,userassigned"
    };
    let identity = json!({
        "type": kind, "principalId": "own", "tenantId": "t", "userAssignedIdentities": map,
    });
    let properties = json!({"provisioningState": state});
    CannedAnswer::json(
        200,
        json!({"etag": "\"7\"", "identity": identity, "properties": properties}),
    )
}

async fn add(cloud: &Canned, name: &str) -> Result<ComputeIdentity> {
    let patch = IdentityPatch::new(&ComputeIdentity::default(), [id(name)], []);
    ArmCompute::new(&cloud.arm())
        .patch_identity(&target(), &patch, Some("\"7\""))
        .await
}

/// Fault 38: Azure writes ids and the words of `identity.type` in another letter case.
#[tokio::test]
async fn a_scale_set_is_read_whatever_its_letter_case() {
    let cloud = Canned::start().await;
    cloud.on("GET", PATH, [scale_set("Succeeded", &["one"])]);
    let compute = ArmCompute::new(&cloud.arm());
    let read = compute.get_identity(&target()).await.unwrap().unwrap();
    assert!(read.kind.system_assigned && read.kind.user_assigned);
    assert_eq!(read.user_assigned, [id("one")].into());
    assert_eq!(read.client_ids, [(id("one"), "c".to_owned())].into());
    assert_eq!(read.etag.as_deref(), Some("\"7\""));
}

#[tokio::test]
async fn only_a_missing_scale_set_or_group_is_a_scale_set_that_is_gone() {
    let cloud = Canned::start().await;
    let compute = ArmCompute::new(&cloud.arm());
    for code in ["ResourceNotFound", "ResourceGroupNotFound"] {
        cloud.on("GET", PATH, [CannedAnswer::error(404, code)]);
        assert_eq!(compute.get_identity(&target()).await.unwrap(), None);
    }
    for code in ["SubscriptionNotFound", "InvalidResourceType", ""] {
        cloud.on("GET", PATH, [CannedAnswer::error(404, code)]);
        let error = compute.get_identity(&target()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::NotFound, "{code}");
    }
}

#[tokio::test]
async fn a_patch_names_what_changes_and_echoes_nothing() {
    let cloud = Canned::start().await;
    cloud.on("GET", PATH, [scale_set("Succeeded", &["stays", "goes"])]);
    cloud.on("PATCH", PATH, [scale_set("Succeeded", &["stays", "comes"])]);
    let compute = ArmCompute::new(&cloud.arm());
    let current = compute.get_identity(&target()).await.unwrap().unwrap();
    let patch = IdentityPatch::new(&current, [id("comes")], [id("goes")]);
    compute
        .patch_identity(&target(), &patch, current.etag.as_deref())
        .await
        .unwrap();
    let call = cloud
        .seen()
        .into_iter()
        .find(|call| call.method == "PATCH")
        .unwrap();
    assert_eq!(call.header("if-match"), "\"7\"");
    let map = json!({ id("comes").to_string(): {}, id("goes").to_string(): null });
    let identity = json!({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": map});
    assert_eq!(call.json(), json!({"identity": identity}));
}

#[tokio::test]
async fn the_last_identity_goes_with_its_kind() {
    let cloud = Canned::start().await;
    cloud.on(
        "GET",
        PATH,
        [
            scale_set("Succeeded", &["last"]),
            scale_set("Succeeded", &[]),
        ],
    );
    cloud.on("PATCH", PATH, [scale_set("Succeeded", &[])]);
    let compute = ArmCompute::new(&cloud.arm());
    let current = compute.get_identity(&target()).await.unwrap().unwrap();
    let patch = IdentityPatch::new(&current, [], [id("LAST")]);
    let after = compute
        .patch_identity(&target(), &patch, None)
        .await
        .unwrap();
    assert!(after.user_assigned.is_empty());
    let call = cloud
        .seen()
        .into_iter()
        .find(|call| call.method == "PATCH")
        .unwrap();
    assert_eq!(call.json(), json!({"identity": {"type": "SystemAssigned"}}));
}

#[tokio::test]
async fn an_operation_is_followed_to_its_end() {
    let cloud = Canned::start().await;
    let running = |to| {
        CannedAnswer::json(200, json!({"status": "InProgress"}))
            .header("Azure-AsyncOperation", format!("{}/{to}", cloud.url))
            .header("Retry-After", 0)
    };
    let accepted = scale_set("Updating", &[])
        .header("Azure-AsyncOperation", format!("{}/first", cloud.url))
        .header("Location", format!("{}/result", cloud.url))
        .header("Retry-After", 0);
    cloud.on("PATCH", PATH, [accepted]);
    cloud.on("GET", "/first", [running("second")]);
    cloud.on(
        "GET",
        "/second",
        [
            running("second"),
            CannedAnswer::json(200, json!({"status": "Succeeded"})),
        ],
    );
    cloud.on("GET", PATH, [scale_set("Succeeded", &["one"])]);
    assert_eq!(
        add(&cloud, "one").await.unwrap().user_assigned,
        [id("one")].into()
    );
    let paths: Vec<_> = cloud.seen().into_iter().map(|call| call.path).collect();
    assert_eq!(paths, [PATH, "/first", "/second", "/second", PATH]);
}

#[tokio::test]
async fn an_accepted_operation_without_a_status_address_is_followed_by_location_or_resource() {
    let cloud = Canned::start().await;
    let location = format!("{}/result", cloud.url);
    let accepted = || CannedAnswer::text(202, "").header("Retry-After", 0);
    cloud.on(
        "PATCH",
        PATH,
        [accepted().header("Location", location), accepted()],
    );
    cloud.on("GET", "/result", [accepted(), CannedAnswer::text(204, "")]);
    let updating = scale_set("Updating", &[]).header("Retry-After", 0);
    let done = || scale_set("Succeeded", &["one"]);
    cloud.on("GET", PATH, [done(), updating, done()]);
    add(&cloud, "one").await.unwrap();
    assert_eq!(
        cloud
            .seen()
            .iter()
            .filter(|call| call.path == "/result")
            .count(),
        2
    );
    add(&cloud, "one").await.unwrap();
    assert_eq!(cloud.seen().len(), 4 + 4);
}

/// Fault 7: the operation's address answers 404.
#[tokio::test]
async fn the_state_of_a_lost_operation_is_read_from_the_scale_set() {
    let cloud = Canned::start().await;
    let accepted = scale_set("Updating", &[])
        .header("Azure-AsyncOperation", format!("{}/lost", cloud.url))
        .header("Retry-After", 0);
    cloud.on("PATCH", PATH, [accepted]);
    cloud.on(
        "GET",
        "/lost",
        [CannedAnswer::error(404, "OperationNotFound")],
    );
    let done = || scale_set("Succeeded", &["one"]).header("Retry-After", 0);
    cloud.on("GET", PATH, [done()]);
    add(&cloud, "one").await.unwrap();
    let seen = cloud.seen();
    let of = |path: &str| seen.iter().filter(|call| call.path == path).count();
    assert_eq!((of("/lost"), of(PATH)), (1, 3), "{seen:?}");
}

#[tokio::test]
async fn an_operation_goes_on_while_it_cannot_be_seen() {
    let cloud = Canned::start().await;
    let accepted = scale_set("Updating", &[])
        .header("Azure-AsyncOperation", format!("{}/status", cloud.url))
        .header("Retry-After", 0);
    let ill = || CannedAnswer::text(503, "<h1>busy</h1>");
    let done = CannedAnswer::json(200, json!({"status": "Succeeded"}));
    cloud.on("PATCH", PATH, [accepted]);
    cloud.on("GET", "/status", [ill(), ill(), ill(), ill(), done]);
    cloud.on("GET", PATH, [scale_set("Succeeded", &["one"])]);
    add(&cloud, "one").await.unwrap();
    assert_eq!(
        cloud
            .seen()
            .iter()
            .filter(|call| call.method == "PATCH")
            .count(),
        1
    );
}

#[tokio::test]
async fn an_operation_that_fails_later_is_an_error_with_its_code() {
    let cloud = Canned::start().await;
    let accepted = scale_set("Updating", &[])
        .header("Azure-AsyncOperation", format!("{}/status", cloud.url))
        .header("Retry-After", 0);
    let failed =
        json!({"status": "Failed", "error": {"code": "OperationPreempted", "message": "m"}});
    cloud.on("PATCH", PATH, [accepted]);
    cloud.on("GET", "/status", [CannedAnswer::json(200, failed)]);
    let error = add(&cloud, "one").await.unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        (Some("OperationPreempted"), ErrorClass::Conflict)
    );
}

#[tokio::test]
async fn an_operation_on_another_host_is_not_followed() {
    let (cloud, thief) = (Canned::start().await, Canned::start().await);
    let accepted = scale_set("Updating", &[])
        .header("Azure-AsyncOperation", format!("{}/status", thief.url))
        .header("Retry-After", 0);
    cloud.on("PATCH", PATH, [accepted]);
    let error = add(&cloud, "one").await.unwrap_err();
    assert!(matches!(error, AzureError::ForeignUrl { .. }), "{error:?}");
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn the_identity_that_spoils_a_patch_is_named() {
    let cloud = Canned::start().await;
    let message = format!("over linked scope(s) '{},{}' or", id("one"), id("two"));
    let refused = json!({"error": {"code": "LinkedAuthorizationFailed", "message": message}});
    cloud.on("PATCH", PATH, [CannedAnswer::json(403, refused)]);
    let error = add(&cloud, "one").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Forbidden);
    assert_eq!(error.named_identities(), [id("one"), id("two")]);
    cloud.on(
        "PATCH",
        PATH,
        [CannedAnswer::error(412, "PreconditionFailed")],
    );
    let error = add(&cloud, "one").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::PreconditionFailed);
}
