//! Identities come on the machines under their pods and leave with the last one, whatever
//! happens meanwhile. The bindings are written by hand, as users of the predecessor have them.

mod by_hand;
mod edits;
mod legacy;
mod machines;
mod nodes;
mod scene;
mod upstream;
mod writes;

use podid_crds::aadpodidentity::{AzureIdentity, AzureIdentityBinding};
use scene::Scene;
use serde_json::{Value, json};

use crate::fixture::eventually;
use crate::stage::{SET, SET_NODES, VM_NODES};

/// The identity that every machine of the lab has from the start.
const FOREIGN: &str = "lab-agentpool";

#[tokio::test]
async fn pods_on_two_nodes_of_a_set_share_one_change_and_the_last_takes_it_back() {
    let scene = Scene::open("share").await;
    scene.pod("one", "web", SET_NODES[0]).await;
    scene.pod("two", "web", SET_NODES[1]).await;
    let identity = scene.bind("web", "id").await;
    let both = [("one", "id", "Assigned"), ("two", "id", "Assigned")];
    scene.until_assigned(&both).await;
    assert_eq!(scene.stage.calls("arm.vmss.patch", SET).await, [200]);
    assert_eq!(
        scene.stage.carried(SET_NODES[0]).await,
        [FOREIGN, &identity].map(str::to_owned)
    );
    assert!(scene.ledger().await.contains(&identity));
    scene.until_event("one", "IdentityAssigned").await;

    scene.delete_pod("one").await;
    scene.until_assigned(&[("two", "id", "Assigned")]).await;
    assert_eq!(
        scene.stage.carried(SET_NODES[0]).await,
        [FOREIGN, &identity].map(str::to_owned)
    );
    assert_eq!(
        scene.stage.calls("arm.vmss.patch", SET).await,
        [200],
        "nothing was to change"
    );

    scene.delete_pod("two").await;
    scene.until_assigned(&[]).await;
    scene
        .stage
        .until_carried(SET_NODES[0], &identity, false)
        .await;
    assert_eq!(scene.stage.carried(SET_NODES[0]).await, [FOREIGN]);
    assert_eq!(scene.stage.calls("arm.vmss.patch", SET).await, [200, 200]);
    eventually("the ledger forgets it", async || {
        (!scene.ledger().await.contains(&identity)).then_some(())
    })
    .await;
}

/// Weakness 4 of the predecessor: it put no events together: each had a whole cycle, one after the other.
#[tokio::test]
async fn what_arrives_during_a_change_goes_out_together_after_it() {
    let scene = Scene::open("together").await;
    let mut identities = Vec::new();
    for name in ["a", "b", "c", "d"] {
        identities.push(scene.bind(name, name).await);
    }
    let slow = json!({ "kind": "async", "polls": 1, "retryAfter": 8, "outcome": "Succeeded" });
    scene
        .stage
        .fault(json!({ "operation": "arm.vmss.patch", "count": 1, "effect": slow }))
        .await;
    scene.pod("a", "a", SET_NODES[0]).await;
    eventually("the first change", async || {
        (scene.stage.calls("arm.vmss.patch", SET).await == [200]).then_some(())
    })
    .await;
    for name in ["b", "c", "d"] {
        scene.pod(name, name, SET_NODES[1]).await;
    }
    let all = ["a", "b", "c", "d"].map(|name| (name, name, "Assigned"));
    scene.until_assigned(&all).await;
    assert_eq!(scene.stage.calls("arm.vmss.patch", SET).await, [200, 200]);
    for name in ["a", "b", "c", "d"] {
        scene.delete_pod(name).await;
    }
    scene.until_assigned(&[]).await;
    for identity in &identities {
        scene
            .stage
            .until_carried(SET_NODES[0], identity, false)
            .await;
    }
}

#[tokio::test]
async fn old_capitals_and_another_namespace_work() {
    let scene = Scene::open("capitals").await;
    let full = format!("{}-id", scene.namespace);
    let (id, client_id) = scene.stage.identity(&full).await;
    scene
        .create::<AzureIdentity>(json!({
            "metadata": { "name": "id" },
            "spec": { "type": 0, "ResourceID": id.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"), "ClientID": client_id },
        }))
        .await;
    scene
        .create::<AzureIdentityBinding>(json!({
            "metadata": { "name": "id" },
            "spec": { "AzureIdentity": "id", "Selector": scene.selector("web") },
        }))
        .await;
    let elsewhere = scene.neighbour("elsewhere").await;
    elsewhere.pod("web", "web", VM_NODES[0]).await;
    elsewhere.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.delete_object::<AzureIdentityBinding>("id").await;
    elsewhere.until_assigned(&[]).await;
    scene.stage.until_carried(VM_NODES[0], &full, false).await;
}

#[tokio::test]
async fn a_foreign_identity_is_used_but_never_taken_away() {
    let scene = Scene::open("foreign").await;
    let (id, client_id) = scene.stage.find_identity(FOREIGN).await;
    scene
        .bind_id(
            "web",
            "id",
            &id.to_uppercase().replace("SUBSCRIPTIONS", "subscriptions"),
            &client_id,
        )
        .await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.delete_pod("web").await;
    scene.until_assigned(&[]).await;
    assert_eq!(
        scene.stage.calls("arm.vm.patch", VM_NODES[0]).await,
        [0_u64; 0]
    );
    assert_eq!(scene.stage.carried(VM_NODES[0]).await, [FOREIGN]);
}

/// Weakness 44 of the predecessor: nothing was said on the pod: its Events were on bindings, with blanks in their
/// reasons, and no status named a cause.
#[tokio::test]
async fn one_bad_identity_does_not_block_the_others() {
    let scene = Scene::open("bad").await;
    let mut names = Vec::new();
    for name in ["good", "bad", "fine"] {
        names.push(scene.bind("web", name).await);
    }
    let poison = json!({ "preset": "poisoned-identity", "resource": names[1] });
    scene.stage.fault(poison).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    let without = [
        ("web", "bad", "Failed"),
        ("web", "fine", "Assigned"),
        ("web", "good", "Assigned"),
    ];
    scene.until_assigned(&without).await;
    let event = scene.until_event("web", "IdentityNotAssigned").await;
    assert!(event.contains(&names[1]), "{event}");

    scene.stage.heal().await;
    let with = ["bad", "fine", "good"].map(|name| ("web", name, "Assigned"));
    scene.until_assigned(&with).await;
    scene.delete_pod("web").await;
    for name in &names {
        scene.stage.until_carried(VM_NODES[0], name, false).await;
    }
}

/// Fault 2: compute answers 429 `OperationNotAllowed` with `Retry-After`.
#[tokio::test]
async fn a_throttled_machine_delays_no_other() {
    let scene = Scene::open("throttle").await;
    let identity = scene.bind("web", "id").await;
    scene
        .stage
        .fault(json!({
            "operation": "arm.vm.patch", "resource": format!("/{}", VM_NODES[0]), "count": 1,
            "effect": {
                "kind": "respond", "status": 429, "headers": { "Retry-After": "5" },
                "body": { "error": {
                    "code": "OperationNotAllowed", "message": "too many requests",
                    "details": [{ "code": "TooManyRequests", "message": "{}" }],
                } },
            },
        }))
        .await;
    scene.pod("throttled", "web", VM_NODES[0]).await;
    eventually("the refusal", async || {
        (scene.stage.calls("arm.vm.patch", VM_NODES[0]).await == [429]).then_some(())
    })
    .await;
    scene.pod("free", "web", VM_NODES[1]).await;
    let one = [("free", "id", "Assigned"), ("throttled", "id", "Created")];
    scene.until_assigned(&one).await;
    let both = [("free", "id", "Assigned"), ("throttled", "id", "Assigned")];
    scene.until_assigned(&both).await;
    assert_eq!(
        scene.stage.calls("arm.vm.patch", VM_NODES[0]).await,
        [429, 200]
    );
    scene.delete_pod("free").await;
    scene.delete_pod("throttled").await;
    for node in VM_NODES {
        scene.stage.until_carried(node, &identity, false).await;
    }
}

/// Has the operator killed while Azure puts an identity on the VM of pod `web` in such a course; returns the name of the
/// identity.
async fn kill_during_change(scene: &Scene, course: Value) -> String {
    let identity = scene.bind("web", "id").await;
    let fault = json!({ "operation": "arm.vm.patch", "count": 1, "effect": course });
    scene.stage.fault(fault).await;
    scene.pod("web", "web", VM_NODES[0]).await;
    eventually("the change is accepted", async || {
        (scene.stage.calls("arm.vm.patch", VM_NODES[0]).await == [200]).then_some(())
    })
    .await;
    scene.stage.kill_operator();
    identity
}

/// Pod `web` goes, and the identity with it.
async fn take_back(scene: &Scene, identity: &str) {
    scene.delete_pod("web").await;
    scene
        .stage
        .until_carried(VM_NODES[0], identity, false)
        .await;
    scene.until_assigned(&[]).await;
}

#[tokio::test]
async fn a_killed_operator_carries_on_where_it_was() {
    let scene = Scene::open("killed").await;
    let slow = json!({ "kind": "async", "polls": 1, "retryAfter": 2, "outcome": "Succeeded" });
    let identity = kill_during_change(&scene, slow).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    assert_eq!(
        scene.stage.calls("arm.vm.patch", VM_NODES[0]).await,
        [200],
        "nothing was done twice"
    );
    take_back(&scene, &identity).await;
}

/// A VM or scale set shows what a change is to put on it while the change goes on, which may fail.
#[tokio::test]
async fn after_a_kill_nothing_is_assigned_before_its_change_has_ended_well() {
    let scene = Scene::open("untrue").await;
    let fails = json!({
        "kind": "async", "polls": 1, "retryAfter": 6, "outcome": "Failed",
        "code": "InternalExecutionError",
    });
    let identity = kill_during_change(&scene, fails).await;
    eventually("a change that ends well", async || {
        let said = scene.assigned().await;
        let is_assigned = said.values().any(|word| word == "Assigned");
        let patches = scene.stage.calls("arm.vm.patch", VM_NODES[0]).await.len();
        assert!(!is_assigned || patches == 2, "{said:?}");
        is_assigned.then_some(())
    })
    .await;
    take_back(&scene, &identity).await;
}

#[tokio::test]
async fn what_became_unwanted_while_nobody_looked_is_taken_away() {
    let scene = Scene::open("asleep").await;
    let identity = scene.bind("web", "id").await;
    scene.pod("web", "web", VM_NODES[1]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.stage.stop_operator();
    scene.delete_pod("web").await;
    scene.delete_object::<AzureIdentityBinding>("id").await;
    scene.delete_object::<AzureIdentity>("id").await;
    eventually("the pod is gone", async || {
        scene.no_pods().await.then_some(())
    })
    .await;
    assert!(scene.stage.carried(VM_NODES[1]).await.contains(&identity));
    scene.stage.start_operator();
    scene
        .stage
        .until_carried(VM_NODES[1], &identity, false)
        .await;
    assert_eq!(scene.stage.carried(VM_NODES[1]).await, [FOREIGN]);
    scene.until_assigned(&[]).await;
}

/// Weakness 32 of the predecessor: a pod that had ended kept its identity until somebody deleted it.
#[tokio::test]
async fn a_completed_pod_gives_its_identity_back() {
    let scene = Scene::open("done").await;
    let identity = scene.bind("job", "id").await;
    scene.pod("job", "job", VM_NODES[1]).await;
    scene.until_assigned(&[("job", "id", "Assigned")]).await;
    scene.complete("job").await;
    scene.until_assigned(&[]).await;
    scene
        .stage
        .until_carried(VM_NODES[1], &identity, false)
        .await;
    scene.delete_pod("job").await;
}

/// Fault 23: somebody else takes an identity off a VM.
#[tokio::test]
async fn an_identity_taken_off_by_hand_comes_back() {
    let scene = Scene::open("drift").await;
    let identity = scene.bind("web", "id").await;
    scene.pod("web", "web", VM_NODES[0]).await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    scene.stage.take_off(VM_NODES[0], &identity).await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, true)
        .await;
    scene.until_assigned(&[("web", "id", "Assigned")]).await;
    assert_eq!(
        scene.stage.calls("arm.vm.patch", VM_NODES[0]).await,
        [200, 200, 200],
        "on, off by hand, on again"
    );
    scene.delete_pod("web").await;
    scene
        .stage
        .until_carried(VM_NODES[0], &identity, false)
        .await;
}
