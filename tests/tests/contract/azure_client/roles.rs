use std::collections::BTreeSet;

use azure_sim::Operation;
use podid_azure::{
    ArmIdentities, ArmRoleAssignments, Deleted, ErrorClass, Identities, RoleAssignmentSpec,
    RoleAssignments,
};
use uuid::Uuid;

use super::cloud::{Cloud, SCOPE, id};

const NAME: Uuid = Uuid::from_u128(0x51);

/// A fresh principal, a role for it, and the client.
async fn prepare(cloud: &Cloud) -> (ArmRoleAssignments, RoleAssignmentSpec) {
    let arm = cloud.arm();
    let roles = ArmRoleAssignments::new(&arm);
    let identity = ArmIdentities::new(&arm)
        .get(&id("alpha"))
        .await
        .unwrap()
        .unwrap();
    let role = roles
        .role_definition_by_name(SCOPE, "key vault secrets user")
        .await
        .unwrap();
    let spec = RoleAssignmentSpec {
        role_definition_id: role.expect("a built-in role").id,
        principal_id: identity.principal_id,
        description: Some("podid: shop/web".to_owned()),
    };
    (roles, spec)
}

#[tokio::test]
async fn a_role_is_granted_found_and_taken_away() {
    let cloud = Cloud::start().await;
    let (roles, spec) = prepare(&cloud).await;
    let granted = roles.put(SCOPE, NAME, &spec).await.unwrap();
    assert_eq!(granted.name, NAME.to_string());
    assert!(granted.scope.eq_ignore_ascii_case(SCOPE));
    assert_eq!(granted.description, spec.description);
    let listed = roles
        .list_for_principal(SCOPE, &spec.principal_id)
        .await
        .unwrap();
    assert_eq!(listed, std::slice::from_ref(&granted));
    let of_all = roles.list(SCOPE).await.unwrap();
    assert!(of_all.contains(&granted), "{of_all:?}");
    let principals = of_all.iter().map(|one| one.principal_id.as_str());
    assert!(principals.collect::<BTreeSet<_>>().len() > 1, "{of_all:?}");
    assert_eq!(roles.delete(&granted.id).await.unwrap(), Deleted::Removed);
    assert_eq!(roles.delete(&granted.id).await.unwrap(), Deleted::Absent);
    assert_eq!(
        roles
            .list_for_principal(SCOPE, &spec.principal_id)
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn granting_the_same_again_changes_nothing() {
    let cloud = Cloud::start().await;
    let (roles, spec) = prepare(&cloud).await;
    let first = roles.put(SCOPE, NAME, &spec).await.unwrap();
    let second = roles.put(SCOPE, NAME, &spec).await.unwrap();
    assert_eq!(first.id, second.id);
}

#[tokio::test]
async fn a_grant_under_another_name_exists_already() {
    let cloud = Cloud::start().await;
    let (roles, spec) = prepare(&cloud).await;
    roles.put(SCOPE, NAME, &spec).await.unwrap();
    let error = roles
        .put(SCOPE, Uuid::from_u128(0x52), &spec)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("RoleAssignmentExists"));
    assert_eq!(error.class(), ErrorClass::Conflict);
}

#[tokio::test]
async fn a_name_cannot_be_used_for_another_grant() {
    let cloud = Cloud::start().await;
    let (roles, spec) = prepare(&cloud).await;
    roles.put(SCOPE, NAME, &spec).await.unwrap();
    let reader = roles
        .role_definition_by_name(SCOPE, "Reader")
        .await
        .unwrap()
        .unwrap();
    let other = RoleAssignmentSpec {
        role_definition_id: reader.id,
        ..spec
    };
    let error = roles.put(SCOPE, NAME, &other).await.unwrap_err();
    assert_eq!(error.code(), Some("RoleAssignmentUpdateNotPermitted"));
    assert_eq!(error.class(), ErrorClass::Conflict);
}

#[tokio::test]
async fn an_unknown_role_is_not_found() {
    let cloud = Cloud::start().await;
    let (roles, _) = prepare(&cloud).await;
    assert_eq!(
        roles
            .role_definition_by_name(SCOPE, "Time Lord")
            .await
            .unwrap(),
        None
    );
    assert_eq!(cloud.count(Operation::RoleDefinitionList), 2);
}
