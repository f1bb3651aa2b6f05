use std::collections::{BTreeMap, BTreeSet};

use azure_sim::{DEFAULT_SUBSCRIPTION, Operation};
use podid_azure::{
    ArmIdentities, Deleted, ErrorClass, Identities, IdentityId, ResourceGroupId,
    UserAssignedIdentitySpec,
};

use super::cloud::{Cloud, PASSWORD, STRANGER, id, password, spec};

#[tokio::test]
async fn an_identity_lives_is_changed_and_dies() {
    let cloud = Cloud::start().await;
    let identities = ArmIdentities::new(&cloud.arm());
    assert_eq!(identities.get(&id("web")).await.unwrap(), None);
    let made = identities.put(&id("web"), &spec()).await.unwrap();
    assert_eq!(made.id, id("web"));
    assert_eq!(
        identities.get(&id("WEB")).await.unwrap(),
        Some(made.clone())
    );

    let tags = BTreeMap::from([("podid-cluster".to_owned(), "blue".to_owned())]);
    let changed = UserAssignedIdentitySpec {
        tags: tags.clone(),
        ..spec()
    };
    let changed = identities.put(&id("web"), &changed).await.unwrap();
    assert_eq!(changed.tags, tags);
    assert_eq!(changed.client_id, made.client_id);
    assert_eq!(changed.principal_id, made.principal_id);

    assert_eq!(
        identities.delete(&id("web")).await.unwrap(),
        Deleted::Removed
    );
    assert_eq!(
        identities.delete(&id("web")).await.unwrap(),
        Deleted::Absent
    );
    assert_eq!(identities.get(&id("web")).await.unwrap(), None);

    let again = identities.put(&id("web"), &spec()).await.unwrap();
    assert_ne!(
        again.client_id, made.client_id,
        "a new identity under an old name is a new one"
    );
    assert_ne!(again.principal_id, made.principal_id);
}

#[tokio::test]
async fn a_list_of_many_pages_is_read_to_its_end() {
    let cloud = Cloud::start_with(|options| options.page_size = 1).await;
    let group = ResourceGroupId::new(DEFAULT_SUBSCRIPTION, "apps");
    let listed = ArmIdentities::new(&cloud.arm())
        .list_by_group(&group)
        .await
        .unwrap();
    let found: BTreeSet<_> = listed.into_iter().map(|identity| identity.id).collect();
    assert_eq!(found, ["alpha", "beta", "gamma"].map(id).into());
    assert_eq!(cloud.count(Operation::IdentityList), 3);
}

#[tokio::test]
async fn a_missing_group_is_an_error_that_says_so() {
    let cloud = Cloud::start().await;
    let lost = IdentityId::new(DEFAULT_SUBSCRIPTION, "nowhere", "web");
    let error = ArmIdentities::new(&cloud.arm())
        .put(&lost, &spec())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("ResourceGroupNotFound"));
    assert_eq!(error.class(), ErrorClass::NotFound);
}

#[tokio::test]
async fn a_caller_without_the_role_is_told_which_action_it_lacks() {
    let cloud = Cloud::start().await;
    let arm = cloud.arm_as(password(STRANGER, PASSWORD));
    let error = ArmIdentities::new(&arm)
        .put(&id("web"), &spec())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("AuthorizationFailed"));
    assert_eq!(error.class(), ErrorClass::Forbidden);
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/write";
    assert!(error.to_string().contains(action), "{error}");
    assert_eq!(
        cloud.count(Operation::IdentityPut),
        1,
        "a refusal is not tried again"
    );
}
