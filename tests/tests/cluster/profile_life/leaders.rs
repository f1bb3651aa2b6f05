//! Two replicas: one leads, until it is asked to stop, is killed, or does not notice that time has passed.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use podid_core::lease::LEASE_DURATION;
use podid_tests::api_proxy::ApiCall;
use serde_json::json;

use super::proxied::Proxied;
use super::scene::{Scene, reads_secrets, status};
use crate::fixture::eventually;
use crate::stage::{SET_NODES, Stage};

const FIRST: &str = "podid-operator-0";
const SECOND: &str = "podid-operator-1";

/// A second replica, which is ready to lead.
struct Follower<'a>(&'a Stage);

impl<'a> Follower<'a> {
    async fn start(stage: &'a Stage) -> Self {
        stage.start_second_operator();
        let follower = Self(stage);
        eventually("a second replica that is ready", async || {
            (stage.probe(1, "/readyz")? == "200").then_some(())
        })
        .await;
        follower
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        self.0.stop_second_operator();
    }
}

/// The Lease, once this replica holds it.
async fn led_by(stage: &Stage, replica: &str) -> LeaseSpec {
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), "podid-system");
    eventually(&format!("{replica} leads"), async || {
        let spec = leases.get("podid-operator").await.unwrap().spec?;
        (spec.holder_identity.as_deref() == Some(replica)).then_some(spec)
    })
    .await
}

#[tokio::test]
async fn one_that_is_asked_to_stop_hands_over_long_before_its_lease_ends() {
    let scene = Scene::open("handover").await;
    scene.ready("one", json!({})).await;
    let follower = Follower::start(&scene.stage).await;
    let before = led_by(&scene.stage, FIRST).await;
    scene.stage.terminate_operator();
    let after = led_by(&scene.stage, SECOND).await;
    let (renewed, acquired) = (before.renew_time.unwrap().0, after.acquire_time.unwrap().0);
    let gap = acquired.duration_since(renewed).unsigned_abs();
    assert!(gap < LEASE_DURATION, "{gap:?}");
    scene.ready("two", json!({})).await;
    scene.delete("one").await;
    scene.delete("two").await;

    scene.stage.start_operator();
    drop(follower);
    led_by(&scene.stage, FIRST).await;
}

/// Weakness 40 of the predecessor (a lock on Endpoints, whose follower had read nothing before it led): the leader is
/// killed, and the next pod gets its identity from the other replica.
#[tokio::test]
async fn when_the_leader_is_killed_the_next_assignment_comes_from_the_other() {
    let scene = Scene::open("killed-leader").await;
    let identity = format!("{}-cart", scene.namespace);
    let spec = json!({ "identity": { "name": identity } });
    scene.ready("cart", spec).await;
    let follower = Follower::start(&scene.stage).await;
    led_by(&scene.stage, FIRST).await;
    scene.stage.stop_operator();
    scene.pod("web", "cart", SET_NODES[0]).await;
    scene
        .stage
        .until_carried(SET_NODES[0], &identity, true)
        .await;
    led_by(&scene.stage, SECOND).await;
    scene.until_assigned(&["web Assigned"]).await;
    scene.delete_pod("web").await;
    scene.delete("cart").await;

    scene.stage.start_operator();
    drop(follower);
    led_by(&scene.stage, FIRST).await;
}

#[tokio::test]
async fn one_that_was_stopped_for_longer_than_its_lease_writes_nothing_when_it_goes_on() {
    let scene = Scene::open("frozen").await;
    let proxied = Proxied::start(&scene.stage, []).await;
    scene.ready("one", reads_secrets()).await;
    let follower = Follower::start(&scene.stage).await;
    led_by(&scene.stage, FIRST).await;

    // It is stopped while it waits for Azure, with the next steps before it.
    let slow = json!({ "kind": "delay", "seconds": 5 });
    let slow = json!({ "operation": "arm.identity.put", "effect": slow, "count": 1 });
    scene.stage.fault(slow).await;
    scene.profile("two", reads_secrets()).await;
    scene.until_creating("two").await;
    scene.stage.freeze_operator(true);
    led_by(&scene.stage, SECOND).await;
    let two = scene.until("two", "Ready", "True").await;
    // More that it would have to do.
    let one = scene.ready("one", json!({})).await;

    scene.stage.heal().await;
    let _before = proxied.proxy.take_calls();
    scene.stage.freeze_operator(false);
    eventually("its end", async || {
        (scene.stage.operator_restarts() > 0).then_some(())
    })
    .await;
    eventually("its next life", async || {
        (scene.stage.probe(0, "/readyz")? == "200").then_some(())
    })
    .await;
    let calls = proxied.proxy.take_calls();
    let is_forbidden = |call: &&ApiCall| call.is_write() && !call.is_of_lease();
    let written: Vec<_> = calls.iter().filter(is_forbidden).collect();
    assert!(written.is_empty(), "{written:?}");
    assert!(!calls.is_empty(), "it has gone on");
    assert_eq!(scene.writes().await, [""; 0]);
    for (profile, rights) in [(one, 0), (two, 1)] {
        let identity = status(&profile).identity.expect("an identity");
        assert_eq!(scene.rights(&identity.principal_id).await.len(), rights);
    }

    drop(proxied);
    drop(follower);
    led_by(&scene.stage, FIRST).await;
    scene.delete("one").await;
    scene.delete("two").await;
}
