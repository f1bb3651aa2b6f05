//! The gate: what it refuses does not leave, and nothing leaves without it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use uuid::Uuid;

use super::cloud::{Canned, CannedAnswer};
use crate::{
    Arm, ArmCall, ArmCompute, ArmGate, ArmIdentities, ArmRoleAssignments, ArmSubscriptions,
    AzureError, Compute, ComputeIdentity, ComputeTarget, ErrorClass, GateDecision, GateRefusal,
    Identities, IdentityId, IdentityPatch, Reply, ResourceGroupId, RoleAssignmentSpec,
    RoleAssignments, Subscriptions, UserAssignedIdentitySpec,
};

const SCOPE: &str = "/subscriptions/s/resourceGroups/g";

type Decide = dyn Fn(&ArmCall<'_>, usize) -> GateDecision + Send + Sync;

/// A gate that does as a function says, which gets the call and how many were before it.
struct Scripted {
    decide: Box<Decide>,
    calls: Mutex<Vec<(String, bool)>>,
    /// Codes of what Azure refused, and for how long.
    refused: Mutex<Vec<(String, Option<Duration>)>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl ArmGate for Scripted {
    fn admit(&self, call: &ArmCall<'_>) -> GateDecision {
        let mut calls = self.calls.lock().unwrap();
        let decision = (self.decide)(call, calls.len());
        calls.push((call.method.to_string(), call.is_write()));
        decision
    }

    fn refused(&self, _: &ArmCall<'_>, reply: &Reply) {
        let refused = (reply.code.clone(), reply.retry_after);
        self.refused.lock().unwrap().push(refused);
    }
}

impl Scripted {
    fn new(
        decide: impl Fn(&ArmCall<'_>, usize) -> GateDecision + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            decide: Box::new(decide),
            calls: Mutex::default(),
            refused: Mutex::default(),
        })
    }

    fn calls(&self) -> Vec<(String, bool)> {
        self.calls.lock().unwrap().clone()
    }
}

fn refuse() -> GateDecision {
    GateDecision::Refuse(GateRefusal {
        reason: "this replica does not lead".into(),
        retry_after: None,
        next_step: "ask the replica that leads".into(),
    })
}

fn keep_for_later() -> GateDecision {
    GateDecision::Refuse(GateRefusal {
        reason: "too many calls".into(),
        retry_after: Some(Duration::from_millis(1)),
        next_step: "wait".into(),
    })
}

fn id() -> IdentityId {
    IdentityId::new("s", "g", "web")
}

fn spec() -> UserAssignedIdentitySpec {
    UserAssignedIdentitySpec {
        location: "westeurope".to_owned(),
        tags: BTreeMap::new(),
    }
}

fn pool() -> ComputeTarget {
    ComputeTarget::ScaleSet {
        group: ResourceGroupId::new("s", "g"),
        name: "pool".to_owned(),
    }
}

fn addition() -> IdentityPatch {
    IdentityPatch::new(&ComputeIdentity::default(), [id()], [])
}

fn is_not_sent(error: &AzureError) {
    assert!(matches!(error, AzureError::NotSent { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Transient);
    let cause = std::error::Error::source(error).unwrap().to_string();
    assert_eq!(cause, "this replica does not lead");
    assert_eq!(error.retry_after(), None);
    assert_eq!(error.next_step(), "ask the replica that leads");
}

/// Makes every call of every client, each of which must be refused; how many there were.
async fn every_call(arm: &Arm) -> usize {
    let identities = ArmIdentities::new(arm);
    let group = ResourceGroupId::new("s", "g");
    is_not_sent(&identities.get(&id()).await.unwrap_err());
    is_not_sent(&identities.put(&id(), &spec()).await.unwrap_err());
    is_not_sent(&identities.delete(&id()).await.unwrap_err());
    is_not_sent(&identities.list_by_group(&group).await.unwrap_err());

    let subscriptions = ArmSubscriptions::new(arm);
    is_not_sent(&subscriptions.get("s").await.unwrap_err());
    is_not_sent(&subscriptions.locations("s").await.unwrap_err());
    is_not_sent(&subscriptions.group(&group).await.unwrap_err());

    let (compute, patch) = (ArmCompute::new(arm), addition());
    is_not_sent(&compute.get_identity(&pool()).await.unwrap_err());
    let patched = compute.patch_identity(&pool(), &patch, None).await;
    is_not_sent(&patched.unwrap_err());

    9 + every_call_about_roles(&ArmRoleAssignments::new(arm)).await
}

async fn every_call_about_roles(roles: &ArmRoleAssignments) -> usize {
    let role = RoleAssignmentSpec {
        role_definition_id: "r".to_owned(),
        principal_id: "p".to_owned(),
        description: None,
    };
    let name = Uuid::nil();
    let assignment = format!("{SCOPE}/providers/Microsoft.Authorization/roleAssignments/{name}");
    is_not_sent(&roles.list_for_principal(SCOPE, "p").await.unwrap_err());
    is_not_sent(&roles.put(SCOPE, name, &role).await.unwrap_err());
    is_not_sent(&roles.delete(&assignment).await.unwrap_err());
    let found = roles.role_definition_by_name(SCOPE, "Reader").await;
    is_not_sent(&found.unwrap_err());
    4
}

#[tokio::test]
async fn no_client_has_a_way_around_the_gate() {
    let cloud = Canned::start().await;
    let gate = Scripted::new(|_, _| refuse());
    let made = every_call(&cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>)).await;
    assert_eq!(cloud.seen().len(), 0, "nothing has left");
    let calls = gate.calls();
    assert_eq!(calls.len(), made, "each was asked about once: {calls:?}");
    for (method, is_write) in calls {
        assert_eq!(is_write, method != "GET", "{method}");
    }
}

#[tokio::test]
async fn a_repeat_is_asked_about_as_well() {
    let cloud = Canned::start().await;
    let path = id().to_string();
    cloud.on("PUT", &path, [CannedAnswer::error(503, "ServerBusy")]);
    let gate = Scripted::new(|_, before| match before {
        0 => GateDecision::Send,
        _ => refuse(),
    });
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let error = ArmIdentities::new(&arm).put(&id(), &spec()).await;
    is_not_sent(&error.unwrap_err());
    assert_eq!(cloud.seen().len(), 1, "only the first attempt has left");
    assert_eq!(gate.calls().len(), 2, "a refusal is not repeated");
}

#[tokio::test]
async fn a_try_with_a_fresh_token_is_asked_about_as_well() {
    let cloud = Canned::start().await;
    let path = id().to_string();
    cloud.on(
        "DELETE",
        &path,
        [CannedAnswer::error(401, "ExpiredAuthenticationToken")],
    );
    let gate = Scripted::new(|_, before| match before {
        0 => GateDecision::Send,
        _ => refuse(),
    });
    let arm = cloud.arm_behind(gate);
    let error = ArmIdentities::new(&arm).delete(&id()).await;
    is_not_sent(&error.unwrap_err());
    assert_eq!(cloud.seen().len(), 1);
}

#[tokio::test]
async fn a_thrown_away_answer_looks_like_a_broken_connection() {
    let cloud = Canned::start().await;
    let path = id().to_string();
    cloud.on("PUT", &path, [super::identities::identity(201, "web")]);
    let gate = Scripted::new(|_, before| match before {
        0 => GateDecision::LoseAnswer,
        _ => refuse(),
    });
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let error = ArmIdentities::new(&arm).put(&id(), &spec()).await;
    is_not_sent(&error.unwrap_err());
    assert_eq!(
        cloud.seen().len(),
        1,
        "the first attempt has had its effect"
    );
    assert_eq!(
        gate.calls().len(),
        2,
        "and was repeated like any lost answer"
    );

    let gate = Scripted::new(|_, _| GateDecision::LoseAnswer);
    let arm = cloud.arm_behind(gate);
    let error = ArmIdentities::new(&arm).put(&id(), &spec()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, AzureError::NoAnswer { .. }), "{error:?}");
}

/// A cloud that takes a change of the scale set, and has made it when it is looked at.
async fn changing() -> Canned {
    let cloud = Canned::start().await;
    let path = pool().to_string();
    let status = format!("{}/operations/1", cloud.url);
    let accepted = CannedAnswer::json(202, json!({})).header("Azure-AsyncOperation", status);
    cloud.on("PATCH", &path, [accepted.header("Retry-After", 0)]);
    let succeeded = CannedAnswer::json(200, json!({"status": "Succeeded"}));
    cloud.on("GET", "/operations/1", [succeeded]);
    cloud.on("GET", &path, [CannedAnswer::json(200, json!({}))]);
    cloud
}

#[tokio::test]
async fn looks_at_a_running_operation_are_reads() {
    let cloud = changing().await;
    let gate = Scripted::new(|_, _| GateDecision::Send);
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let patch = addition();
    ArmCompute::new(&arm)
        .patch_identity(&pool(), &patch, None)
        .await
        .unwrap();
    let calls = gate.calls();
    let called = |method: &str, is_write| (method.to_owned(), is_write);
    assert_eq!(
        calls,
        [
            called("PATCH", true),
            called("GET", false),
            called("GET", false)
        ]
    );
}

#[tokio::test]
async fn a_refused_look_ends_the_wait_for_an_operation() {
    let cloud = Canned::start().await;
    let status = format!("{}/operations/1", cloud.url);
    let accepted = CannedAnswer::json(202, json!({})).header("Azure-AsyncOperation", status);
    let accepted = accepted.header("Retry-After", 0);
    cloud.on("PATCH", &pool().to_string(), [accepted]);
    let gate = Scripted::new(|call, _| match call.is_write() {
        true => GateDecision::Send,
        false => refuse(),
    });
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let patch = addition();
    let patched = ArmCompute::new(&arm)
        .patch_identity(&pool(), &patch, None)
        .await;
    is_not_sent(&patched.unwrap_err());
    assert_eq!(gate.calls().len(), 2, "one write, one look");
}

#[tokio::test]
async fn what_is_kept_for_later_is_no_failure_and_not_repeated_here() {
    let cloud = Canned::start().await;
    let gate = Scripted::new(|_, _| keep_for_later());
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let error = ArmIdentities::new(&arm).get(&id()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::HeldBack);
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1)));
    assert_eq!(error.next_step(), "wait");
    assert_eq!(gate.calls().len(), 1);
}

#[tokio::test]
async fn looks_at_a_change_that_are_kept_for_later_are_made_then() {
    let cloud = changing().await;
    let gate = Scripted::new(|_, before| match before {
        // The change, the look that finds it done, the target as it is then.
        0 | 3 | 6 => GateDecision::Send,
        _ => keep_for_later(),
    });
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let patched = ArmCompute::new(&arm)
        .patch_identity(&pool(), &addition(), None)
        .await;
    patched.unwrap();
    assert_eq!(gate.calls().len(), 7);
    assert_eq!(cloud.seen().len(), 3);
}

#[tokio::test]
async fn the_gate_is_told_what_azure_refused() {
    let cloud = Canned::start().await;
    let path = id().to_string();
    let throttled = CannedAnswer::error(429, "SubscriptionRequestsThrottled");
    cloud.on("PUT", &path, [throttled.header("Retry-After", 7)]);
    let gate = Scripted::new(|_, _| GateDecision::Send);
    let arm = cloud.arm_behind(Arc::clone(&gate) as Arc<dyn ArmGate>);
    let error = ArmIdentities::new(&arm).put(&id(), &spec()).await;
    error.unwrap_err();
    let told = gate.refused.lock().unwrap().clone();
    let wait = Some(Duration::from_secs(7));
    let expected = ("SubscriptionRequestsThrottled".to_owned(), wait);
    assert_eq!(told, [expected]);
}
