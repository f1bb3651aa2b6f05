use azure_sim::Operation;
use podid_azure::{ArmCompute, Compute, ComputeIdentity, ComputeTarget, ErrorClass, IdentityPatch};

use super::cloud::{Cloud, PASSWORD, STRANGER, id, nodes, password, pool, vm};

async fn read(compute: &ArmCompute, target: &ComputeTarget) -> ComputeIdentity {
    compute
        .get_identity(target)
        .await
        .unwrap()
        .expect("the machine is there")
}

#[tokio::test]
async fn identities_come_to_a_scale_set_and_go_again() {
    let cloud = Cloud::start().await;
    let compute = ArmCompute::new(&cloud.arm());
    let empty = read(&compute, &pool()).await;
    assert_eq!(
        (empty.user_assigned.len(), empty.kind.as_str()),
        (0, "None")
    );

    let patch = IdentityPatch::new(&empty, [id("alpha"), id("beta")], []);
    let both = compute
        .patch_identity(&pool(), &patch, empty.etag.as_deref())
        .await
        .unwrap();
    assert_eq!(both.user_assigned, [id("alpha"), id("beta")].into());
    assert_eq!(both.provisioning_state.as_deref(), Some("Succeeded"));
    assert_eq!(
        cloud.count(Operation::VmssPatch),
        1,
        "a patch is sent once, then polled"
    );
    assert!(cloud.count(Operation::OperationGet) >= 1);

    let patch = IdentityPatch::new(&both, [id("gamma")], [id("alpha")]);
    let swapped = compute
        .patch_identity(&pool(), &patch, both.etag.as_deref())
        .await
        .unwrap();
    assert_eq!(swapped.user_assigned, [id("beta"), id("gamma")].into());

    let patch = IdentityPatch::new(&swapped, [], [id("BETA"), id("gamma")]);
    let none = compute
        .patch_identity(&pool(), &patch, swapped.etag.as_deref())
        .await
        .unwrap();
    assert_eq!((none.user_assigned.len(), none.kind.as_str()), (0, "None"));
}

#[tokio::test]
async fn a_machines_own_identity_is_left_alone() {
    let cloud = Cloud::start().await;
    let compute = ArmCompute::new(&cloud.arm());
    let before = read(&compute, &vm()).await;
    let own = before
        .system_principal_id
        .clone()
        .expect("the machine has an identity of its own");
    let patch = IdentityPatch::new(&before, [id("alpha")], []);
    let with = compute
        .patch_identity(&vm(), &patch, before.etag.as_deref())
        .await
        .unwrap();
    assert_eq!(with.kind.as_str(), "SystemAssigned, UserAssigned");
    let patch = IdentityPatch::new(&with, [], [id("alpha")]);
    let after = compute
        .patch_identity(&vm(), &patch, with.etag.as_deref())
        .await
        .unwrap();
    assert_eq!(after.kind.as_str(), "SystemAssigned");
    assert_eq!(after.system_principal_id, Some(own));
}

/// Fault 18: a PATCH answers 412 because of its `If-Match`.
#[tokio::test]
async fn a_change_in_between_is_noticed() {
    let cloud = Cloud::start().await;
    let compute = ArmCompute::new(&cloud.arm());
    let seen = read(&compute, &pool()).await;
    assert!(seen.etag.is_some(), "a scale set has an etag");
    let mine = IdentityPatch::new(&seen, [id("alpha")], []);
    let theirs = IdentityPatch::new(&seen, [id("beta")], []);
    compute
        .patch_identity(&pool(), &theirs, seen.etag.as_deref())
        .await
        .unwrap();
    let refused = compute
        .patch_identity(&pool(), &mine, seen.etag.as_deref())
        .await;
    assert_eq!(refused.unwrap_err().class(), ErrorClass::PreconditionFailed);
    assert_eq!(cloud.count(Operation::VmssPatch), 2, "not repeated");
    assert_eq!(
        read(&compute, &pool()).await.user_assigned,
        [id("beta")].into()
    );
}

#[tokio::test]
async fn a_machine_that_is_not_there_is_none() {
    let cloud = Cloud::start().await;
    let compute = ArmCompute::new(&cloud.arm());
    let lost = ComputeTarget::Vm {
        group: nodes(),
        name: "lost".to_owned(),
    };
    assert_eq!(compute.get_identity(&lost).await.unwrap(), None);
}

/// Fault 21: a PATCH answers 403 `LinkedAuthorizationFailed` with two ids in one quote.
#[tokio::test]
async fn a_caller_that_may_not_assign_is_told_which_identities() {
    let cloud = Cloud::start().await;
    let compute = ArmCompute::new(&cloud.arm_as(password(STRANGER, PASSWORD)));
    let empty = read(&compute, &pool()).await;
    let patch = IdentityPatch::new(&empty, [id("alpha"), id("beta")], []);
    let error = compute
        .patch_identity(&pool(), &patch, None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("LinkedAuthorizationFailed"));
    assert_eq!(error.class(), ErrorClass::Forbidden);
    assert_eq!(error.named_identities(), [id("alpha"), id("beta")]);
    assert_eq!(cloud.count(Operation::VmssPatch), 1);
}
