//! What a proxy answers is not what Azure knows.

use serde_json::json;
use uuid::Uuid;

use super::cloud::{Canned, CannedAnswer};
use crate::{
    ArmCompute, ArmIdentities, ArmRoleAssignments, AzureError, Compute, ComputeTarget, ErrorClass,
    Identities, IdentityId, ResourceGroupId, RoleAssignments,
};

const GROUP: &str = "/subscriptions/s/resourceGroups/g";
const AUTHORIZATION: &str = "providers/Microsoft.Authorization";

/// 404s that are not ARM's word for the resource that was asked for.
fn answers_of_others() -> Vec<CannedAnswer> {
    let of_another = json!({"error": {
        "code": "ResourceNotFound",
        "message": "The Resource 'Microsoft.Web/sites/other' under resource group 'g' was not found.",
    }});
    vec![
        CannedAnswer::text(404, "<html><h1>404 Not Found</h1></html>"),
        CannedAnswer::text(404, ""),
        CannedAnswer::json(404, json!({"message": "no route"})),
        CannedAnswer::error(404, "NotFound"),
        CannedAnswer::error(404, "SubscriptionNotFound"),
        CannedAnswer::json(404, of_another),
    ]
}

fn is_not_found(error: &AzureError) {
    assert_eq!(error.class(), ErrorClass::NotFound, "{error}");
    if error.code().is_none() {
        let step = error.next_step();
        assert!(step.contains("proxy"), "{step}");
    }
}

#[tokio::test]
async fn an_identity_is_not_gone_because_a_proxy_says_so() {
    let id = IdentityId::new("s", "g", "web");
    for answer in answers_of_others() {
        let cloud = Canned::start().await;
        for method in ["GET", "DELETE"] {
            cloud.on(method, &id.to_string(), [answer.clone()]);
        }
        let identities = ArmIdentities::new(&cloud.arm());
        is_not_found(&identities.get(&id).await.unwrap_err());
        is_not_found(&identities.delete(&id).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_role_is_not_gone_because_a_proxy_says_so() {
    let held = format!("{GROUP}/{AUTHORIZATION}/roleAssignments/{}", Uuid::nil());
    for answer in answers_of_others() {
        let cloud = Canned::start().await;
        let lists = ["roleAssignments", "roleDefinitions"];
        for path in lists.map(|kind| format!("{GROUP}/{AUTHORIZATION}/{kind}")) {
            cloud.on("GET", &path, [answer.clone()]);
        }
        cloud.on("DELETE", &held, [answer]);
        let roles = ArmRoleAssignments::new(&cloud.arm());
        is_not_found(&roles.delete(&held).await.unwrap_err());
        is_not_found(&roles.list_for_principal(GROUP, "p").await.unwrap_err());
        let named = roles.role_definition_by_name(GROUP, "Reader").await;
        is_not_found(&named.unwrap_err());
    }
}

#[tokio::test]
async fn a_vm_or_scale_set_is_not_gone_because_a_proxy_says_so() {
    let group = ResourceGroupId::new("s", "g");
    let name = "pool".to_owned();
    for target in [
        ComputeTarget::Vm {
            group: group.clone(),
            name: name.clone(),
        },
        ComputeTarget::ScaleSet { group, name },
    ] {
        for answer in answers_of_others() {
            let cloud = Canned::start().await;
            cloud.on("GET", &target.to_string(), [answer]);
            let compute = ArmCompute::new(&cloud.arm());
            is_not_found(&compute.get_identity(&target).await.unwrap_err());
        }
    }
}

#[tokio::test]
async fn a_missing_later_page_does_not_empty_a_list() {
    let path = format!("{GROUP}/{AUTHORIZATION}/roleAssignments");
    for second in [
        CannedAnswer::text(404, "<html>"),
        CannedAnswer::error(404, "ResourceGroupNotFound"),
    ] {
        let cloud = Canned::start().await;
        let next = format!("{}/next?api-version=1", cloud.url);
        let first = CannedAnswer::json(200, json!({"value": [], "nextLink": next}));
        cloud.on("GET", &path, [first]);
        cloud.on("GET", "/next", [second]);
        let roles = ArmRoleAssignments::new(&cloud.arm());
        is_not_found(&roles.list_for_principal(GROUP, "p").await.unwrap_err());
    }
}

#[tokio::test]
async fn nobody_holds_a_role_on_a_group_that_azure_says_is_gone() {
    let cloud = Canned::start().await;
    let path = format!("{GROUP}/{AUTHORIZATION}/roleAssignments");
    cloud.on(
        "GET",
        &path,
        [CannedAnswer::error(404, "ResourceGroupNotFound")],
    );
    let roles = ArmRoleAssignments::new(&cloud.arm());
    assert_eq!(roles.list_for_principal(GROUP, "p").await.unwrap(), []);
}
