//! Role definitions and role assignments, and their effect.

use azure_sim::{Options, RoleAssignment, Seed};
use serde_json::{Value, json};

use crate::harness::{Arm, Lab, OPERATOR, SUB, identity, identity_id};

pub(crate) const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const NAME: &str = "40000000-0000-4000-8000-00000000000";
const VERSION: &str = "api-version=2022-04-01";

pub(crate) fn group() -> String {
    format!("/subscriptions/{SUB}/resourceGroups/podid")
}

pub(crate) fn path(scope: &str, n: u32) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{NAME}{n}?{VERSION}")
}

pub(crate) fn body(role: &str, principal: &str) -> Value {
    json!({"properties": {
        "roleDefinitionId": format!("/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": principal,
        "principalType": "ServicePrincipal",
        "createdOn": null,
    }})
}

pub(crate) async fn principal(arm: &Arm<'_>, name: &str) -> String {
    arm.make_identity(name).await["properties"]["principalId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_assignment_is_made_read_repeated_and_deleted() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let web = principal(&arm, "web").await;
    let made = arm.put(&path(&group(), 1), body(READER, &web)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!(made["properties"]["scope"], group());
    assert_eq!(made["properties"]["createdBy"], Value::Null);
    assert_eq!(made["properties"]["principalType"], "ServicePrincipal");
    assert_eq!(
        arm.put(&path(&group(), 1), body(READER, &web)).await.status,
        200
    );
    assert_eq!(
        arm.get(&path(&group(), 1)).await.json()["properties"]["createdBy"],
        lab.object_id("operator")
    );

    let twin = arm.put(&path(&group(), 2), body(READER, &web)).await;
    assert_eq!(twin.error(), (409, "RoleAssignmentExists".into()));
    let other = arm
        .put(&path(&group(), 1), body(READER, &lab.object_id("nobody")))
        .await;
    assert_eq!(
        other.error(),
        (400, "RoleAssignmentUpdateNotPermitted".into())
    );

    let deleted = arm.delete(&path(&group(), 1)).await;
    assert_eq!(
        (deleted.status, &deleted.json()["name"]),
        (200, &made["name"])
    );
    assert_eq!(arm.delete(&path(&group(), 1)).await.status, 204);
    assert_eq!(
        arm.get(&path(&group(), 1)).await.error(),
        (404, "RoleAssignmentNotFound".into())
    );
}

#[tokio::test]
async fn what_cannot_be_assigned_is_refused() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let web = principal(&arm, "web").await;
    let ghost = arm.put(&path(&group(), 1), body(READER, NAME)).await;
    assert_eq!(ghost.error(), (400, "PrincipalNotFound".into()));
    let role = arm
        .put(
            &path(&group(), 1),
            body("00000000-0000-0000-0000-000000000000", &web),
        )
        .await;
    assert_eq!(role.error(), (404, "RoleDefinitionDoesNotExist".into()));
    let mut user = body(READER, &web);
    user["properties"]["principalType"] = json!("User");
    assert_eq!(
        arm.put(&path(&group(), 1), user).await.error(),
        (400, "UnmatchedPrincipalType".into())
    );
    let name = path(&group(), 1).replace(NAME, "not-a-guid");
    assert_eq!(
        arm.put(&name, body(READER, &web)).await.error(),
        (400, "InvalidRoleAssignmentId".into())
    );
    // Role Based Access Control Administrator on one group gives no rights on the subscription.
    let above = arm
        .put(
            &path(&format!("/subscriptions/{SUB}"), 1),
            body(READER, &web),
        )
        .await;
    assert_eq!(above.error(), (403, "AuthorizationFailed".into()));
}

#[tokio::test]
async fn lists_look_up_down_and_at_one_principal() {
    let mut seed = Seed::demo().unwrap();
    seed.role_assignments.push(RoleAssignment {
        role: "Reader".into(),
        principal: "operator".into(),
        ..RoleAssignment::default()
    });
    let lab = Lab::start(Options {
        seed,
        ..Options::default()
    })
    .await;
    let arm = lab.arm().await;
    let web = principal(&arm, "web").await;
    assert_eq!(
        arm.put(&path(&identity_id("web"), 1), body(READER, &web))
            .await
            .status,
        201
    );
    let list = |scope: String, filter: &'static str| {
        let (arm, web) = (&arm, &web);
        async move {
            let filter = filter.replace("WEB", web);
            let url = format!(
                "{scope}/providers/Microsoft.Authorization/roleAssignments?{VERSION}{filter}"
            );
            let got = arm.get(&url).await;
            assert_eq!(got.status, 200, "{}", got.text);
            let mut scopes: Vec<_> = got.json()["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| {
                    a["properties"]["scope"]
                        .as_str()
                        .unwrap()
                        .matches('/')
                        .count()
                })
                .collect();
            scopes.sort_unstable();
            scopes
        }
    };
    // Depths: 2 the subscription, 4 a group, 8 a resource.
    assert_eq!(list(group(), "").await, [2, 4, 4, 4, 8, 8]);
    assert_eq!(list(group(), "&$filter=atScope()").await, [2, 4, 4, 4]);
    assert_eq!(list(group(), "&$filter=principalId eq 'WEB'").await, [8]);
    assert_eq!(
        list(group(), "&$filter=atScope() and assignedTo('WEB')").await,
        [0; 0]
    );
    assert_eq!(
        list(identity_id("web"), "&$filter=assignedTo('WEB')").await,
        [8]
    );
    let odd = format!(
        "{}/providers/Microsoft.Authorization/roleAssignments?{VERSION}&$filter=name eq 'x'",
        group()
    );
    assert_eq!(arm.get(&odd).await.status, 400);
}

#[tokio::test]
async fn roles_are_found_by_name() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let list = |filter: &str| {
        format!(
            "{}/providers/Microsoft.Authorization/roleDefinitions?{VERSION}&$filter={filter}",
            group()
        )
    };
    let got = arm
        .get(&list("roleName eq 'managed identity operator'"))
        .await
        .json();
    assert_eq!(got["value"].as_array().unwrap().len(), 1);
    let role = &got["value"][0];
    assert_eq!(role["name"], "f1a07417-d97a-45cb-824c-7a7467783830");
    assert_eq!(
        role["id"],
        format!(
            "/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/f1a07417-d97a-45cb-824c-7a7467783830"
        )
    );
    assert_eq!(role["properties"]["type"], "BuiltInRole");
    assert_eq!(
        arm.get(&list("type eq 'CustomRole'")).await.json()["value"],
        json!([])
    );
    let by_id = format!("/providers/Microsoft.Authorization/roleDefinitions/{READER}?{VERSION}");
    assert_eq!(
        arm.get(&by_id).await.json()["properties"]["roleName"],
        "Reader"
    );
}

#[tokio::test]
async fn a_role_is_effective_from_the_next_request() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let reader = lab.arm_as(crate::harness::NOBODY).await;
    assert_eq!(reader.get(&identity("demo")).await.status, 403);
    let nobody = lab.object_id("nobody");
    assert_eq!(
        arm.put(&path(&identity_id("DEMO"), 1), body(READER, &nobody))
            .await
            .status,
        201
    );
    assert_eq!(reader.get(&identity("demo")).await.status, 200);
    assert_eq!(arm.delete(&path(&identity_id("demo"), 1)).await.status, 200);
    assert_eq!(reader.get(&identity("demo")).await.status, 403);
}

#[tokio::test]
async fn a_deleted_identity_leaves_its_assignments_behind() {
    let lab = Lab::demo().await;
    let arm = lab.arm_as(OPERATOR).await;
    let web = principal(&arm, "web").await;
    arm.put(&path(&group(), 1), body(READER, &web)).await;
    assert_eq!(arm.delete(&identity("web")).await.status, 200);
    let left = arm.get(&path(&group(), 1)).await.json();
    assert_eq!(left["properties"]["principalType"], "Unknown");
}
