//! Role assignments with conditions, and what their holders may grant and take away.

use azure_sim::{AzureSim, Options, RoleAssignment, Seed};
use serde_json::{Value, json};

use crate::harness::{Lab, NOBODY};
use crate::roles::{READER, body, group, path, principal};

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const ATTRIBUTE: &str = "Microsoft.Authorization/roleAssignments";

/// Allows to grant and to take away one role, and only from service principals.
fn only(role: &str) -> String {
    let of = |verb: &str, source: &str| {
        format!(
            "((!(ActionMatches{{'{ATTRIBUTE}/{verb}'}})) OR (\
             @{source}[{ATTRIBUTE}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{role}}} AND \
             @{source}[{ATTRIBUTE}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}))"
        )
    };
    format!(
        "{} AND {}",
        of("write", "Request"),
        of("delete", "Resource")
    )
}

/// The demo, in which `nobody` grants these roles and no others.
fn seed(roles: &[&str]) -> Seed {
    let mut seed = Seed::demo().unwrap();
    let grants = (60..).zip(roles).map(|(n, role)| RoleAssignment {
        name: Some(format!("{n}000000-0000-4000-8000-000000000000")),
        role: "User Access Administrator".into(),
        principal: "nobody".into(),
        scope: group(),
        condition: Some(only(role)),
        condition_version: Some("2.0".into()),
    });
    seed.role_assignments.extend(grants);
    seed
}

async fn lab(roles: &[&str]) -> Lab {
    Lab::start(Options {
        seed: seed(roles),
        ..Options::default()
    })
    .await
}

fn with_condition(condition: &str) -> Value {
    json!({"condition": condition, "conditionVersion": "2.0"})
}

/// A body with more properties.
fn extended(mut body: Value, more: Value) -> Value {
    let properties = body["properties"].as_object_mut().unwrap();
    properties.extend(more.as_object().unwrap().clone());
    body
}

fn forbidden() -> (u16, String) {
    (403, "AuthorizationFailed".into())
}

#[tokio::test]
async fn a_condition_is_kept_shown_and_changed() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let web = principal(&arm, "web").await;
    let at = path(&group(), 1);
    for (condition, status) in [(only(READER), 201), (only(OWNER), 200)] {
        let put = extended(body(READER, &web), with_condition(&condition));
        let made = arm.put(&at, put).await;
        assert_eq!(made.status, status, "{}", made.text);
        for shown in [made.json(), arm.get(&at).await.json()] {
            assert_eq!(shown["properties"]["condition"], condition);
            assert_eq!(shown["properties"]["conditionVersion"], "2.0");
        }
        let state = lab.sim.state();
        let all = state["roleAssignments"].as_array().unwrap();
        let found = all.iter().find(|one| one["principalId"] == web).unwrap();
        assert_eq!(found["condition"], condition);
        assert_eq!(found["conditionVersion"], "2.0");
    }
    let bare = arm.put(&at, body(READER, &web)).await.json();
    assert_eq!(bare["properties"]["condition"], Value::Null);
    assert_eq!(bare["properties"]["conditionVersion"], Value::Null);
}

#[tokio::test]
async fn only_the_role_and_the_type_of_the_condition_are_granted() {
    let lab = lab(&[READER]).await;
    let web = principal(&lab.arm().await, "web").await;
    let arm = lab.arm_as(NOBODY).await;
    let at = path(&group(), 1);
    let owner = arm.put(&at, body(OWNER, &web)).await;
    assert_eq!(owner.error(), forbidden());
    assert!(owner.text.contains("ABAC condition"), "{}", owner.text);
    let user = extended(body(READER, &web), json!({"principalType": "User"}));
    assert_eq!(arm.put(&at, user).await.error(), forbidden());
    let untyped = extended(body(READER, &web), json!({"principalType": null}));
    assert_eq!(arm.put(&at, untyped).await.error(), forbidden());
    assert_eq!(arm.put(&at, body(READER, &web)).await.status, 201);
    assert_eq!(arm.delete(&at).await.status, 200);
}

#[tokio::test]
async fn only_the_role_of_the_condition_is_taken_away() {
    let lab = lab(&[READER]).await;
    let operator = lab.arm().await;
    let web = principal(&operator, "web").await;
    let at = path(&group(), 1);
    assert_eq!(operator.put(&at, body(OWNER, &web)).await.status, 201);
    let arm = lab.arm_as(NOBODY).await;
    assert_eq!(arm.delete(&at).await.error(), forbidden());
    // Nor is it changed, under its own name or as another role.
    for role in [OWNER, READER] {
        let refused = arm.put(&at, body(role, &web)).await.status;
        assert!([400, 403].contains(&refused), "{role}: {refused}");
    }
    let kept = arm.get(&at).await.json();
    assert!(
        kept["properties"]["roleDefinitionId"]
            .as_str()
            .is_some_and(|id| id.ends_with(OWNER)),
        "{kept}"
    );
    // Of an assignment that is not there the condition can ask nothing.
    assert_eq!(arm.delete(&path(&group(), 2)).await.status, 204);
    assert_eq!(operator.delete(&at).await.status, 200);
}

#[tokio::test]
async fn nobody_lifts_the_condition_on_their_own_role() {
    let lab = lab(&[READER]).await;
    let arm = lab.arm_as(NOBODY).await;
    let at = path(&group(), 1).replace(
        "40000000-0000-4000-8000-000000000001",
        "60000000-0000-4000-8000-000000000000",
    );
    assert_eq!(arm.get(&at).await.status, 200);
    let administrator = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9";
    let own = body(administrator, &lab.object_id("nobody"));
    assert_eq!(arm.put(&at, own).await.error(), forbidden());
    assert_eq!(arm.delete(&at).await.error(), forbidden());
}

#[tokio::test]
async fn one_of_several_assignments_is_enough() {
    let lab = lab(&[READER, CONTRIBUTOR]).await;
    let web = principal(&lab.arm().await, "web").await;
    let arm = lab.arm_as(NOBODY).await;
    for (n, role, status) in [(1, READER, 201), (2, CONTRIBUTOR, 201), (3, OWNER, 403)] {
        let put = arm.put(&path(&group(), n), body(role, &web)).await;
        assert_eq!(put.status, status, "{}", put.text);
    }
    assert_eq!(arm.delete(&path(&group(), 2)).await.status, 200);
}

#[tokio::test]
async fn what_is_no_condition_or_not_simulated_is_refused() {
    let lab = Lab::demo().await;
    let arm = lab.arm().await;
    let web = principal(&arm, "web").await;
    let at = path(&group(), 1);
    for (condition, status) in [("(", 400), ("@Resource[x] StringEquals {'y'}", 501)] {
        let put = extended(body(READER, &web), with_condition(condition));
        let refused = arm.put(&at, put).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        let mut seed = seed(&[READER]);
        seed.role_assignments.last_mut().unwrap().condition = Some(condition.into());
        let options = Options {
            seed,
            ..Options::default()
        };
        assert!(AzureSim::start(options).await.is_err(), "{condition}");
    }
    let version = json!({"condition": only(READER), "conditionVersion": "1.0"});
    let refused = arm.put(&at, extended(body(READER, &web), version)).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text.contains("condition is invalid"),
        "{}",
        refused.text
    );
}
