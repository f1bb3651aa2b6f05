//! When Azure refuses or is slow, when somebody meddles, and when the operator dies.

use k8s_openapi::jiff::Timestamp;
use podid_azure::{ArmRoleAssignments, RoleAssignments};
use podid_crds::podid::PodIdentityProfile;
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, access, conditions, says, status, vault};
use crate::fixture::eventually;

fn reads_secrets() -> Value {
    json!({ "access": [access(READS_SECRETS, &vault())] })
}

#[tokio::test]
async fn a_refusal_names_cause_and_next_step_and_is_tried_again() {
    let scene = Scene::open("forbidden").await;
    let body = json!({ "error": {
        "code": "AuthorizationFailed",
        "message": "The client 'c' does not have authorization to perform action 'a' over scope 's'.",
    }});
    let effect = json!({ "kind": "respond", "status": 403, "body": body });
    scene
        .stage
        .fault(json!({ "operation": "arm.roleassignment.put", "effect": effect }))
        .await;
    scene.profile("cart", reads_secrets()).await;
    let profile = scene.until("cart", "AccessReady", "False").await;
    let (reason, message) = says(&profile, "AccessReady");
    assert_eq!(reason, "AuthorizationFailed");
    assert!(
        message.starts_with("creating a role assignment on /subscriptions/")
            && message
                .contains(" failed: grant the operator's identity a role with the action a on s;")
            && message.contains("action 'a'"),
        "{message}"
    );
    assert_eq!(
        says(&profile, "Reconciling"),
        ("ProgressingWithRetry".into(), message)
    );
    assert_eq!(
        says(&profile, "IdentityReady").0,
        "Created",
        "what was done counts"
    );
    let recorded = status(&profile).role_assignments.unwrap_or_default();
    assert!(
        !recorded.is_empty() && recorded.iter().all(|one| one.created),
        "the record is there before Azure has created anything: {recorded:?}"
    );

    let written = profile.metadata.resource_version.clone();
    let refused = |calls: &[String]| calls.iter().filter(|call| call.ends_with("403")).count();
    eventually("another try", async || {
        (refused(&scene.calls().await) >= 3).then_some(())
    })
    .await;
    let again: PodIdentityProfile = scene.api().get("cart").await.unwrap();
    assert_eq!(
        again.metadata.resource_version, written,
        "the same cause is not written twice"
    );

    scene.stage.heal().await;
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
}

/// Fault 3: the identity service answers 429 with `Retry-After` to a PUT.
#[tokio::test]
async fn throttling_is_waited_out_as_long_as_azure_asks() {
    const ASKED: i64 = 17;
    let scene = Scene::open("throttled").await;
    let effect = json!({
        "kind": "respond", "status": 429,
        "headers": { "Retry-After": ASKED.to_string() },
        "body": { "error": { "code": "TooManyRequests", "message": "Slow down." } },
    });
    // Of this profile's identity: what earlier tests left may still be worked on.
    let own = format!("{}-cart", scene.namespace);
    let fault = json!({
        "operation": "arm.identity.put", "resource": own, "count": 1, "effect": effect,
    });
    scene.stage.fault(fault).await;
    scene.profile("cart", json!({})).await;
    let profile = scene.until("cart", "Ready", "False").await;
    assert_eq!(says(&profile, "Ready").0, "ProgressingWithRetry");
    assert_eq!(says(&profile, "Reconciling").0, "ProgressingWithRetry");
    // A reason to look at the profile at once, and none to call Azure.
    scene.profile("cart", json!({ "interval": "9m" })).await;
    scene.until("cart", "Ready", "True").await;
    let log = scene
        .stage
        .admin(Method::GET, "/calls?operation=arm.identity.put", None)
        .await;
    let times: Vec<Timestamp> = log["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| {
            call["time"]
                .as_str()
                .expect("a time")
                .parse()
                .expect("a time")
        })
        .collect();
    assert_eq!(times.len(), 2, "one refusal, one success");
    let waited = times[1].duration_since(times[0]).as_secs();
    assert!(waited >= ASKED, "tried again after {waited} s");
    scene.delete("cart").await;
}

/// Fault 4: ARM answers late.
#[tokio::test]
async fn while_a_first_write_takes_long_the_status_says_what_goes_on() {
    let scene = Scene::open("slow").await;
    let slow = json!({ "kind": "delay", "seconds": 3 });
    scene
        .stage
        .fault(json!({ "operation": "arm.identity.put", "effect": slow }))
        .await;
    let spec = json!({ "identity": { "name": format!("{}-slow", scene.namespace) } });
    scene.profile("cart", spec).await;
    let creating = format!("podid is creating identity {}-slow", scene.namespace);
    eventually("word of the write that goes on", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let ready = conditions(&profile);
        let ready = ready.iter().find(|condition| condition.type_ == "Ready")?;
        assert!(
            !scene.calls().await.contains(&"identity.put 201".to_owned()),
            "said too late: {ready:?}"
        );
        (ready.reason == "Progressing" && ready.message == creating).then_some(())
    })
    .await;
    scene.until("cart", "Ready", "True").await;
    let calls = scene.calls().await;
    let made = calls.iter().filter(|call| call.starts_with("identity.put"));
    assert_eq!(made.count(), 1, "{calls:?}");
    scene.delete("cart").await;
}

/// Fault 10: a role assignment answers 400 `PrincipalNotFound`, twice.
#[tokio::test]
async fn a_principal_that_is_not_replicated_yet_is_progress() {
    let scene = Scene::open("replication").await;
    // Each role that is granted anew is refused twice, and the pauses grow.
    let grants = json!({ "virtualMachineContributor": "None" });
    scene.class(json!({ "nodeGrants": grants })).await;
    let lag = json!({ "kind": "lag", "calls": 2 });
    scene
        .stage
        .fault(json!({ "operation": "arm.roleassignment.put", "effect": lag }))
        .await;
    scene.profile("cart", reads_secrets()).await;
    let profile = scene.until("cart", "AccessReady", "False").await;
    assert_eq!(says(&profile, "AccessReady").0, "Propagating");
    assert_eq!(says(&profile, "Reconciling").0, "Progressing");
    let profile = scene.until("cart", "Ready", "True").await;
    let principal = status(&profile).identity.expect("an identity").principal_id;
    assert_eq!(scene.rights(&principal).await.len(), 1);
    scene.delete("cart").await;
}

/// Fault 9: an identity that was just made reads as 404, three times.
#[tokio::test]
async fn what_reads_as_absent_right_after_it_was_made_is_neither_doubled_nor_revoked() {
    let scene = Scene::open("lag").await;
    let lag = json!({ "kind": "lag", "calls": 3 });
    scene
        .stage
        .fault(json!({ "operation": "arm.identity.get", "effect": lag }))
        .await;
    let profile = scene.ready("cart", reads_secrets()).await;
    let identity = status(&profile).identity.expect("an identity");
    for round in ["one", "two", "three"] {
        scene.poke("cart", round).await;
    }
    let profile = scene.until("cart", "Ready", "True").await;
    assert_eq!(status(&profile).identity, Some(identity.clone()));
    assert_eq!(scene.rights(&identity.principal_id).await.len(), 1);
    let calls = scene.calls().await;
    assert!(
        calls.iter().any(|call| call == "identity.get 404"),
        "the fault struck: {calls:?}"
    );
    assert!(
        !calls.iter().any(|call| call.contains(".delete")),
        "{calls:?}"
    );
    scene.delete("cart").await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
}

#[tokio::test]
async fn meddling_is_mended_or_with_observe_only_reported() {
    let scene = Scene::open("drift").await;
    let profile = scene.ready("cart", reads_secrets()).await;
    let principal = status(&profile).identity.expect("an identity").principal_id;
    let revoke_all = async || {
        let roles = ArmRoleAssignments::new(&scene.stage.arm());
        for held in roles
            .list_for_principal(&vault(), &principal)
            .await
            .unwrap()
        {
            roles.delete(&held.id).await.unwrap();
        }
    };
    revoke_all().await;
    assert!(scene.rights(&principal).await.is_empty());
    scene.poke("cart", "mend").await;
    assert_eq!(scene.rights(&principal).await.len(), 1, "mended");

    let mut observing = reads_secrets();
    observing["drift"] = json!("Observe");
    scene.ready("cart", observing).await;
    revoke_all().await;
    scene.stage.heal().await;
    let profile = scene.poke("cart", "look").await;
    let planned = status(&profile).planned_changes.expect("planned changes");
    assert_eq!(
        planned,
        [format!("grant the identity {READS_SECRETS} on {}", vault())]
    );
    assert_eq!(says(&profile, "Stalled").0, "DriftDetected");
    assert_eq!(scene.writes().await, [""; 0], "nothing was changed");
    scene.delete("cart").await;
}

#[tokio::test]
async fn an_unchanged_profile_causes_no_write_and_no_event() {
    let scene = Scene::open("quiet").await;
    scene.ready("cart", reads_secrets()).await;
    // The pods are counted by a writer of their own, which may come after `Ready`.
    let settled = eventually("status at rest", async || {
        let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
        let is_told = conditions(&profile)
            .iter()
            .any(|condition| condition.type_ == "AssignmentReady");
        (is_told && status(&profile).bound_pods.is_some()).then_some(profile)
    })
    .await;
    let events = scene.events("cart").await;
    scene.stage.heal().await;

    scene.profile("cart", reads_secrets()).await;
    // A new leader looks at everything again.
    scene.stage.kill_operator();
    eventually("the profile was looked at", async || {
        scene
            .calls()
            .await
            .contains(&"identity.list 200".to_owned())
            .then_some(())
    })
    .await;
    let handled = scene.poke("cart", "again").await;
    assert_eq!(scene.writes().await, [""; 0]);
    assert_eq!(scene.events("cart").await, events);
    assert_eq!(
        conditions(&handled),
        conditions(&settled),
        "transition times stay"
    );
    let (mut before, mut after) = (status(&settled), status(&handled));
    (
        before.last_handled_reconcile_at,
        after.last_handled_reconcile_at,
    ) = (None, None);
    assert_eq!(after, before);
    scene.delete("cart").await;
}

#[tokio::test]
async fn an_operator_killed_half_way_finishes_after_it_is_back() {
    let scene = Scene::open("killed").await;
    let slow = json!({ "kind": "delay", "seconds": 3 });
    scene
        .stage
        .fault(json!({ "operation": "arm.roleassignment.put", "effect": slow }))
        .await;
    scene.profile("cart", reads_secrets()).await;
    eventually("the identity is made", async || {
        scene
            .calls()
            .await
            .contains(&"identity.put 201".to_owned())
            .then_some(())
    })
    .await;
    scene.stage.kill_operator();
    let profile = scene.until("cart", "Ready", "True").await;
    let identity = status(&profile).identity.expect("an identity");
    assert_eq!(scene.rights(&identity.principal_id).await.len(), 1);
    let made = scene.writes().await;
    assert_eq!(
        made.iter()
            .filter(|call| *call == "identity.put 201")
            .count(),
        1,
        "{made:?}"
    );

    scene
        .stage
        .fault(json!({ "operation": "arm.roleassignment.delete", "effect": slow }))
        .await;
    let profiles = scene.api::<PodIdentityProfile>();
    profiles.delete("cart", &Default::default()).await.unwrap();
    eventually("pods have lost the identity", async || {
        scene.children("cart").await.0.is_none().then_some(())
    })
    .await;
    scene.stage.kill_operator();
    eventually("the profile is gone", async || {
        profiles
            .get_opt("cart")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
    assert!(scene.rights(&identity.principal_id).await.is_empty());
}

#[tokio::test]
async fn of_two_replicas_one_writes_and_the_other_takes_over() {
    let scene = Scene::open("replicas").await;
    scene.stage.start_second_operator();
    let one = scene.ready("one", reads_secrets()).await;
    let made = scene.writes().await;
    let distinct: std::collections::BTreeSet<&String> = made.iter().collect();
    assert_eq!(
        made.iter()
            .filter(|call| *call == "identity.put 201")
            .count(),
        1,
        "{made:?}"
    );
    assert!(
        distinct.iter().all(|call| call.ends_with("201")),
        "nothing was written twice: {made:?}"
    );

    scene.stage.stop_operator();
    let two = scene.ready("two", reads_secrets()).await;
    assert_ne!(status(&one).identity, status(&two).identity);
    scene.delete("one").await;
    scene.delete("two").await;
    scene.stage.start_operator();
    scene.stage.stop_second_operator();
    // The first leads again, or the next test would wait for it.
    scene.ready("three", json!({})).await;
    scene.delete("three").await;
}
