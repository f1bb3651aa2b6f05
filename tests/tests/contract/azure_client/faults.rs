//! What Azure is known to get wrong, and how often the client then asks.

use std::time::Duration;

use azure_sim::{Effect, Fault, Operation, Outcome, Preset};
use podid_azure::{
    ArmCompute, ArmIdentities, ArmRoleAssignments, AzureError, Compute, ComputeIdentity,
    ErrorClass, Identities, IdentityPatch, ImdsError, RoleAssignmentSpec, RoleAssignments,
};
use uuid::Uuid;

use super::{
    cloud::{Cloud, SCOPE, id, pool, spec},
    imds,
};

fn preset(cloud: &Cloud, preset: Preset) -> Fault {
    cloud.sim.preset(preset).unwrap()
}

fn lag(calls: u64) -> Effect {
    Effect::Lag {
        seconds: None,
        calls: Some(calls),
        spare_typed: false,
    }
}

async fn patch(cloud: &Cloud, add: &[&str]) -> Result<ComputeIdentity, AzureError> {
    let add = add.iter().copied().map(id);
    let patch = IdentityPatch::new(&ComputeIdentity::default(), add, []);
    ArmCompute::new(&cloud.arm())
        .patch_identity(&pool(), &patch, None)
        .await
}

/// Fault 1: ARM answers 429 `SubscriptionRequestsThrottled` with `Retry-After`.
#[tokio::test]
async fn a_throttled_write_goes_to_the_caller_with_the_wait_that_azure_asks_for() {
    let cloud = Cloud::start().await;
    let throttle = preset(&cloud, Preset::ArmThrottle);
    cloud.sim.arm_fault(Fault {
        operation: Operation::IdentityPut.into(),
        ..throttle
    });
    let identities = ArmIdentities::new(&cloud.arm());
    let error = identities.put(&id("web"), &spec()).await.unwrap_err();
    assert_eq!(
        error.retry_after(),
        Some(Duration::from_secs(1)),
        "7 s at tenfold speed, whole seconds"
    );
    assert_eq!(cloud.count(Operation::IdentityPut), 1);
}

/// Fault 5: the operation that a PATCH starts is `InProgress` for three polls.
#[tokio::test]
async fn a_slow_operation_is_polled_and_never_sent_again() {
    let cloud = Cloud::start().await;
    let (outcome, code) = (Outcome::Succeeded, None);
    let slow = Effect::Async {
        polls: 3,
        retry_after: 0.0,
        outcome,
        code,
    };
    cloud.sim.arm_fault(Fault::new(Operation::VmssPatch, slow));
    let machine = patch(&cloud, &["alpha"]).await.unwrap();
    assert_eq!(machine.user_assigned, [id("alpha")].into());
    assert_eq!(cloud.count(Operation::VmssPatch), 1);
    assert_eq!(cloud.count(Operation::OperationGet), 4);
}

/// Fault 6: the operation that a PATCH starts ends as `Failed` with `OperationPreempted`.
#[tokio::test]
async fn an_operation_pushed_aside_is_a_conflict() {
    let cloud = Cloud::start().await;
    let code = Some("OperationPreempted".to_owned());
    let fails = Effect::Async {
        polls: 1,
        retry_after: 0.0,
        outcome: Outcome::Failed,
        code,
    };
    cloud.sim.arm_fault(Fault::new(Operation::VmssPatch, fails));
    let error = patch(&cloud, &["alpha"]).await.unwrap_err();
    assert!(
        matches!(error, AzureError::OperationEnded { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), ErrorClass::Conflict);
    assert_eq!(cloud.count(Operation::VmssPatch), 1);
}

/// Fault 8: ARM answers 502 in HTML, three times.
#[tokio::test]
async fn a_burst_of_gateway_errors_is_ridden_out() {
    let cloud = Cloud::start().await;
    cloud.sim.arm_fault(preset(&cloud, Preset::ServerErrors));
    let found = ArmIdentities::new(&cloud.arm())
        .get(&id("alpha"))
        .await
        .unwrap();
    assert!(found.is_some());
    assert_eq!(cloud.count(Operation::IdentityGet), 4);
}

/// Fault 4: ARM closes the connection without an answer.
#[tokio::test]
async fn a_connection_cut_off_is_tried_again() {
    let cloud = Cloud::start().await;
    cloud
        .sim
        .arm_fault(Fault::new(Operation::IdentityPut, Effect::Drop).times(1));
    ArmIdentities::new(&cloud.arm())
        .put(&id("web"), &spec())
        .await
        .unwrap();
    assert_eq!(cloud.count(Operation::IdentityPut), 2);
}

/// Fault 9: what was just written reads as 404, three times.
#[tokio::test]
async fn what_was_just_written_may_not_be_there_yet() {
    let cloud = Cloud::start().await;
    let lagging = preset(&cloud, Preset::ReadAfterWrite);
    cloud.sim.arm_fault(Fault {
        operation: Operation::IdentityGet.into(),
        ..lagging
    });
    let identities = ArmIdentities::new(&cloud.arm());
    let made = identities.put(&id("web"), &spec()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(identities.get(&id("web")).await.unwrap(), None);
    }
    assert_eq!(identities.get(&id("web")).await.unwrap(), Some(made));
    assert_eq!(
        cloud.count(Operation::IdentityGet),
        4,
        "a 404 is an answer, not tried again"
    );
}

/// Fault 10: a role assignment answers 400 `PrincipalNotFound`, twice.
#[tokio::test]
async fn a_principal_that_is_not_replicated_is_propagating() {
    let cloud = Cloud::start().await;
    cloud
        .sim
        .arm_fault(Fault::new(Operation::RoleAssignmentPut, lag(2)));
    let arm = cloud.arm();
    let roles = ArmRoleAssignments::new(&arm);
    let identity = ArmIdentities::new(&arm)
        .put(&id("web"), &spec())
        .await
        .unwrap();
    let reader = roles
        .role_definition_by_name(SCOPE, "Reader")
        .await
        .unwrap()
        .unwrap();
    let grant = RoleAssignmentSpec {
        role_definition_id: reader.id,
        principal_id: identity.principal_id,
        description: None,
    };
    for _ in 0..2 {
        let error = roles
            .put(SCOPE, Uuid::from_u128(7), &grant)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("PrincipalNotFound"));
        assert_eq!(error.class(), ErrorClass::Propagating);
    }
    roles.put(SCOPE, Uuid::from_u128(7), &grant).await.unwrap();
    assert_eq!(cloud.count(Operation::RoleAssignmentPut), 3);
}

#[tokio::test]
async fn naming_the_principals_type_spares_the_wait() {
    let cloud = Cloud::start().await;
    cloud
        .sim
        .arm_fault(preset(&cloud, Preset::PrincipalReplication));
    let arm = cloud.arm();
    let roles = ArmRoleAssignments::new(&arm);
    let identity = ArmIdentities::new(&arm)
        .put(&id("web"), &spec())
        .await
        .unwrap();
    let reader = roles
        .role_definition_by_name(SCOPE, "Reader")
        .await
        .unwrap()
        .unwrap();
    let grant = RoleAssignmentSpec {
        role_definition_id: reader.id,
        principal_id: identity.principal_id,
        description: None,
    };
    roles.put(SCOPE, Uuid::from_u128(7), &grant).await.unwrap();
}

/// Fault 20: of three identities in a PATCH one cannot be assigned: 400 `FailedIdentityOperation`, nothing applied.
#[tokio::test]
async fn one_bad_identity_spoils_a_patch_and_is_named() {
    let cloud = Cloud::start().await;
    let poison = preset(&cloud, Preset::PoisonedIdentity);
    cloud.sim.arm_fault(poison.on("/beta"));
    let error = patch(&cloud, &["alpha", "beta", "gamma"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("FailedIdentityOperation"));
    assert_eq!(error.class(), ErrorClass::Invalid);
    assert_eq!(error.named_identities(), [id("beta")]);
    let compute = ArmCompute::new(&cloud.arm());
    let machine = compute.get_identity(&pool()).await.unwrap().unwrap();
    assert!(
        machine.user_assigned.is_empty(),
        "nothing of the patch was applied"
    );
    let machine = patch(&cloud, &["alpha", "gamma"]).await.unwrap();
    assert_eq!(machine.user_assigned, [id("alpha"), id("gamma")].into());
    assert_eq!(cloud.count(Operation::VmssPatch), 2);
}

#[tokio::test]
async fn an_updating_imds_is_retryable_and_asked_once_a_call() {
    let cloud = Cloud::start().await;
    let client_id = imds::assign(&cloud, "alpha").await;
    cloud
        .sim
        .arm_fault(preset(&cloud, Preset::ImdsUpdating).times(2));
    let node = cloud.imds(0);
    for _ in 0..2 {
        let error = imds::token(&node, &client_id).await.unwrap_err();
        assert!(
            matches!(error, ImdsError::Refused { status: 410, .. }),
            "{error:?}"
        );
        assert!(error.is_retryable());
    }
    imds::token(&node, &client_id).await.unwrap();
    assert_eq!(cloud.count(Operation::ImdsToken), 3);
}

#[tokio::test]
async fn an_identity_just_assigned_may_not_be_known_to_imds() {
    let cloud = Cloud::start().await;
    let lagging = preset(&cloud, Preset::IdentityLag);
    cloud.sim.arm_fault(Fault {
        effect: lag(2),
        ..lagging
    });
    let client_id = imds::assign(&cloud, "alpha").await;
    let node = cloud.imds(0);
    for _ in 0..2 {
        let error = imds::token(&node, &client_id).await.unwrap_err();
        assert!(error.is_identity_not_found(), "{error:?}");
    }
    imds::token(&node, &client_id).await.unwrap();
    assert_eq!(cloud.count(Operation::ImdsToken), 3);
}
