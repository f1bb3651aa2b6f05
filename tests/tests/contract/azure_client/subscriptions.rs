use azure_sim::{DEFAULT_LOCATION, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, RoleAssignment};
use podid_azure::{
    ArmIdentities, ArmRoleAssignments, ArmSubscriptions, ErrorClass, Identities, ResourceGroupId,
    RoleAssignments, Subscriptions,
};
use serde_json::json;
use uuid::Uuid;

use super::cloud::{Cloud, PASSWORD, SCOPE, STRANGER, id, password};

#[tokio::test]
async fn a_subscription_is_read_with_its_regions_and_groups() {
    let cloud = Cloud::start().await;
    let subscriptions = ArmSubscriptions::new(&cloud.arm());
    let found = subscriptions.get(DEFAULT_SUBSCRIPTION).await.unwrap();
    assert_eq!(found.expect("it is there").tenant_id, DEFAULT_TENANT);
    let regions = subscriptions.locations(DEFAULT_SUBSCRIPTION).await.unwrap();
    assert!(regions.iter().any(|region| region.name == DEFAULT_LOCATION));

    let group = id("alpha").group_id();
    let found = subscriptions.group(&group).await.unwrap();
    assert_eq!(found.expect("it is there").id, group);
    let nowhere = ResourceGroupId::new(DEFAULT_SUBSCRIPTION, "nowhere");
    assert_eq!(subscriptions.group(&nowhere).await.unwrap(), None);
    let other = "99999999-0000-4000-8000-000000000001";
    assert_eq!(subscriptions.get(other).await.unwrap(), None);
    let error = subscriptions.locations(other).await.unwrap_err();
    assert_eq!(error.code(), Some("SubscriptionNotFound"));
}

#[tokio::test]
async fn whoever_may_not_read_is_told_which_right_is_missing() {
    let cloud = Cloud::start_with(|options| {
        options
            .seed
            .role_assignments
            .retain(|held: &RoleAssignment| held.principal != "stranger");
    })
    .await;
    let subscriptions = ArmSubscriptions::new(&cloud.arm_as(password(STRANGER, PASSWORD)));
    let group = id("alpha").group_id();
    for (error, action) in [
        (
            subscriptions.get(DEFAULT_SUBSCRIPTION).await.unwrap_err(),
            "Microsoft.Resources/subscriptions/read",
        ),
        (
            subscriptions
                .locations(DEFAULT_SUBSCRIPTION)
                .await
                .unwrap_err(),
            "Microsoft.Resources/subscriptions/locations/read",
        ),
        (
            subscriptions.group(&group).await.unwrap_err(),
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
    ] {
        assert_eq!(error.class(), ErrorClass::Forbidden, "{error}");
        assert!(error.to_string().contains(action), "{error}");
    }
}

#[tokio::test]
async fn behind_a_proxy_that_knows_nothing_nothing_is_gone() {
    let cloud = Cloud::start().await;
    let effect = json!({ "kind": "respond", "status": 404, "body": "<html>404 Not Found</html>" });
    let fault = json!({ "operation": "arm.*", "effect": effect });
    cloud.sim.arm_fault(serde_json::from_value(fault).unwrap());
    let arm = cloud.arm();
    let (identities, roles) = (ArmIdentities::new(&arm), ArmRoleAssignments::new(&arm));
    let subscriptions = ArmSubscriptions::new(&arm);
    let right = format!(
        "{SCOPE}/providers/Microsoft.Authorization/roleAssignments/{}",
        Uuid::nil()
    );
    for error in [
        identities.get(&id("alpha")).await.unwrap_err(),
        identities.delete(&id("alpha")).await.unwrap_err(),
        roles.list_for_principal(SCOPE, "p").await.unwrap_err(),
        roles.delete(&right).await.unwrap_err(),
        subscriptions.get(DEFAULT_SUBSCRIPTION).await.unwrap_err(),
        subscriptions
            .group(&id("alpha").group_id())
            .await
            .unwrap_err(),
    ] {
        assert_eq!((error.status(), error.code()), (Some(404), None), "{error}");
        assert!(error.next_step().contains("proxy"), "{}", error.next_step());
    }
}
