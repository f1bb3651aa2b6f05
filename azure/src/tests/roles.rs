use serde_json::json;
use uuid::Uuid;

use super::cloud::{Canned, CannedAnswer};
use crate::{ArmRoleAssignments, Deleted, ErrorClass, RoleAssignmentSpec, RoleAssignments};

const SCOPE: &str = "/subscriptions/s/resourceGroups/g";
const ROLE: &str = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r";

fn assignments(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments")
}

fn assignment() -> serde_json::Value {
    json!({
        "id": format!("{}/{}", assignments(SCOPE), Uuid::nil()),
        "name": Uuid::nil(),
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": ROLE, "principalId": "p", "principalType": "ServicePrincipal",
            "scope": SCOPE, "description": null, "createdOn": "2026-11-21T08:00:00.1234567Z",
            "updatedOn": "2026-11-21T08:00:00.1234567Z", "createdBy": null, "updatedBy": "me",
        },
    })
}

fn spec() -> RoleAssignmentSpec {
    RoleAssignmentSpec {
        role_definition_id: ROLE.to_owned(),
        principal_id: "p".to_owned(),
        description: Some("for shop/web".to_owned()),
    }
}

async fn put(cloud: &Canned) -> crate::Result<crate::RoleAssignment> {
    ArmRoleAssignments::new(&cloud.arm())
        .put(SCOPE, Uuid::nil(), &spec())
        .await
}

#[tokio::test]
async fn put_says_that_the_principal_is_a_service_principal() {
    let cloud = Canned::start().await;
    let path = format!("{}/{}", assignments(SCOPE), Uuid::nil());
    cloud.on("PUT", &path, [CannedAnswer::json(201, assignment())]);
    let made = put(&cloud).await.unwrap();
    assert_eq!(
        (made.scope.as_str(), made.role_definition_id.as_str()),
        (SCOPE, ROLE)
    );
    let sent = &cloud.seen()[0].json()["properties"];
    assert_eq!(sent["principalType"], "ServicePrincipal");
    assert_eq!(
        (&sent["principalId"], &sent["roleDefinitionId"]),
        (&json!("p"), &json!(ROLE))
    );
    assert_eq!(sent["description"], "for shop/web");
}

/// Fault 12: Azure answers 409 `RoleAssignmentExists`.
///
/// Fault 13: Azure answers 400 `RoleAssignmentUpdateNotPermitted`.
///
/// Fault 14: Azure answers 400 `RoleAssignmentLimitExceeded`.
#[tokio::test]
async fn refusals_are_told_apart_by_code() {
    let expected = [
        (409, "RoleAssignmentExists", ErrorClass::Conflict),
        (
            400,
            "RoleAssignmentUpdateNotPermitted",
            ErrorClass::Conflict,
        ),
        (400, "PrincipalNotFound", ErrorClass::Propagating),
        (400, "RoleAssignmentLimitExceeded", ErrorClass::Invalid),
        (403, "AuthorizationFailed", ErrorClass::Forbidden),
    ];
    for (status, code, class) in expected {
        let cloud = Canned::start().await;
        let path = format!("{}/{}", assignments(SCOPE), Uuid::nil());
        cloud.on("PUT", &path, [CannedAnswer::error(status, code)]);
        let error = put(&cloud).await.unwrap_err();
        assert_eq!((error.code(), error.class()), (Some(code), class));
        assert_eq!(cloud.seen().len(), 1, "{code} must not be repeated here");
    }
}

#[tokio::test]
async fn the_list_is_filtered_by_principal_also_at_the_root() {
    let cloud = Canned::start().await;
    let page = || CannedAnswer::json(200, json!({"value": [assignment()]}));
    cloud.on("GET", &assignments(SCOPE), [page()]);
    cloud.on("GET", &assignments(""), [page()]);
    let roles = ArmRoleAssignments::new(&cloud.arm());
    for scope in [SCOPE, "/"] {
        let found = roles.list_for_principal(scope, "p'x").await.unwrap();
        assert_eq!(found[0].principal_id, "p");
    }
    for call in cloud.seen() {
        assert!(
            call.query
                .contains("%24filter=principalId+eq+%27p%27%27x%27"),
            "{}",
            call.query
        );
    }
}

#[tokio::test]
async fn deleting_tells_whether_there_was_something() {
    let cloud = Canned::start().await;
    let id = format!("{}/{}", assignments(SCOPE), Uuid::nil());
    cloud.on(
        "DELETE",
        &id,
        [
            CannedAnswer::json(200, assignment()),
            CannedAnswer::text(204, ""),
        ],
    );
    let roles = ArmRoleAssignments::new(&cloud.arm());
    assert_eq!(roles.delete(&id).await.unwrap(), Deleted::Removed);
    assert_eq!(roles.delete(&id).await.unwrap(), Deleted::Absent);
}

#[tokio::test]
async fn a_role_is_found_by_its_name() {
    let cloud = Canned::start().await;
    let definition = json!({"id": ROLE, "name": "r", "properties": {"roleName": "Reader"}});
    let path = format!("{SCOPE}/providers/Microsoft.Authorization/roleDefinitions");
    cloud.on(
        "GET",
        &path,
        [CannedAnswer::json(200, json!({"value": [definition]}))],
    );
    let roles = ArmRoleAssignments::new(&cloud.arm());
    let found = roles
        .role_definition_by_name(SCOPE, "reader")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id.as_str(), found.role_name.as_str()),
        (ROLE, "Reader")
    );
    assert_eq!(
        roles.role_definition_by_name(SCOPE, "Write").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_scope_cannot_climb_out_of_itself() {
    let cloud = Canned::start().await;
    let roles = ArmRoleAssignments::new(&cloud.arm());
    for scope in [
        "/subscriptions/mine/../theirs",
        "/subscriptions/mine/%2E%2e/theirs",
        "",
    ] {
        let error = roles.list_for_principal(scope, "p").await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid, "{scope}");
    }
    assert!(cloud.seen().is_empty());
}
