//! When the API server is away, slow or refuses, and when something between it and the operator swallows what is sent.
//! What was committed comes true afterwards, with a number of calls that does not grow with the trouble.

mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ListParams};
use podid_crds::podid::PodIdentityProfile;
use podid_tests::api_proxy::{ApiCall, Effect, Fault};
use serde_json::{Value, json};

use super::proxied::Proxied;
use super::scene::{Scene, conditions, reads_secrets, status};
use crate::fixture::{eventually, eventually_within};
use crate::stage::SET_NODES;

/// More than a whole life of a profile needs of any call, with one more try of each of its steps.
const FEW: usize = 24;

/// A profile that may read secrets, whose identity is named after the scene.
fn named(scene: &Scene, name: &str) -> Value {
    let mut spec = reads_secrets();
    spec["identity"] = json!({ "name": format!("{}-{name}", scene.namespace) });
    spec
}

/// A profile and its pod from beginning to end, as on any other day.
async fn live(scene: &Scene, name: &str) {
    let identity = format!("{}-{name}", scene.namespace);
    scene.stage.heal().await;
    scene.profile(name, named(scene, name)).await;
    scene.pod(name, name, SET_NODES[0]).await;
    let profile = scene.until(name, "Ready", "True").await;
    scene
        .stage
        .until_carried(SET_NODES[0], &identity, true)
        .await;
    let principal = status(&profile).identity.expect("an identity").principal_id;
    assert_eq!(scene.rights(&principal).await.len(), 1);

    scene.delete_pod(name).await;
    scene.delete(name).await;
    scene
        .stage
        .until_carried(SET_NODES[0], &identity, false)
        .await;
    assert!(scene.rights(&principal).await.is_empty());
    let made = scene.writes().await;
    let made = made.iter().filter(|call| *call == "identity.put 201");
    assert_eq!(made.count(), 1, "made once");
}

/// Calls that are not about the Lease, Events or policies, each with how often it was made. Policies are read for each class,
/// those of other tests too.
fn counted<'a>(calls: impl IntoIterator<Item = &'a ApiCall>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let beside = ["/events", "/admissionregistration.k8s.io/"];
        let is_beside = beside.iter().any(|part| call.path.contains(part));
        if !call.is_of_lease() && !is_beside {
            let watch = if call.is_watch { " watch" } else { "" };
            *counts.entry(format!("{call}{watch}")).or_default() += 1;
        }
    }
    counts
}

/// None of these calls was made over and over.
fn assert_few(calls: &[ApiCall]) {
    let many = counted(calls).into_iter().filter(|(_, count)| *count > FEW);
    let many: Vec<_> = many.collect();
    assert!(many.is_empty(), "{many:?}");
}

/// Weakness 24 of the predecessor (it told that it lives only after it had read everything, so that a slow API server had
/// it restarted, and then asked for everything again): it lives all the time, and starts once.
#[tokio::test]
async fn a_slow_api_server_is_waited_for_without_a_restart() {
    let scene = Scene::open("slow-api").await;
    let slow = Fault::new(Effect::Delay(Duration::from_secs(10)), |_| true);
    let proxied = Proxied::start(&scene.stage, [slow]).await;
    scene.profile("cart", named(&scene, "cart")).await;
    let looks = |calls: &[ApiCall]| calls.iter().filter(|call| call.is_of_lease()).count();
    eventually("several looks at the lease", async || {
        (looks(&proxied.proxy.calls()) >= 5).then_some(())
    })
    .await;
    assert_eq!(scene.stage.probe(0, "/healthz").as_deref(), Some("200"));
    assert_eq!(scene.writes().await, [""; 0]);
    proxied.proxy.heal();
    scene.until("cart", "Ready", "True").await;
    assert_eq!(scene.stage.operator_restarts(), 0);
    assert_few(&proxied.proxy.take_calls());
    scene.delete("cart").await;
}

/// Weakness 25 of the predecessor (watches that a firewall had forgotten were waited for without end): the connections are
/// dead and nobody says so.
#[tokio::test]
async fn connections_gone_dead_are_given_up() {
    let scene = Scene::open("black-hole").await;
    let proxied = Proxied::start(&scene.stage, []).await;
    scene.ready("before", named(&scene, "before")).await;
    let _before = proxied.proxy.take_calls();
    proxied.proxy.connections_go_dead();
    scene.profile("after", named(&scene, "after")).await;
    eventually_within(Duration::from_secs(120), "after is ready", async || {
        let profile: PodIdentityProfile = scene.api().get("after").await.unwrap();
        let is_ready = |one: &Condition| one.type_ == "Ready" && one.status == "True";
        conditions(&profile).iter().any(is_ready).then_some(())
    })
    .await;
    assert_eq!(scene.stage.operator_restarts(), 0, "it leads all the time");
    assert_few(&proxied.proxy.take_calls());
    scene.delete("before").await;
    scene.delete("after").await;
}

#[tokio::test]
async fn an_api_server_that_is_killed_meanwhile_finds_the_work_going_on() {
    let scene = Scene::open("api-killed").await;
    let proxied = Proxied::start(&scene.stage, []).await;
    scene.ready("before", named(&scene, "before")).await;
    // Azure has done it when the API server is away, where it is to be written down.
    let slow = json!({ "kind": "delay", "seconds": 3 });
    let slow = json!({ "operation": "arm.identity.put", "effect": slow });
    scene.stage.heal().await;
    scene.stage.fault(slow).await;
    scene.profile("during", named(&scene, "during")).await;
    scene.until_creating("during").await;
    let _before = proxied.proxy.take_calls();
    scene.stage.lab.kill_service("kube-apiserver", 9).unwrap();
    eventually("the API server", async || {
        let profiles: Api<PodIdentityProfile> = scene.api();
        profiles.list(&ListParams::default()).await.ok().map(drop)
    })
    .await;
    let profile = scene.until("during", "Ready", "True").await;
    let principal = status(&profile).identity.expect("an identity").principal_id;
    assert_eq!(scene.rights(&principal).await.len(), 1);
    let made = scene.writes().await;
    let made = made.iter().filter(|call| *call == "identity.put 201");
    assert_eq!(made.count(), 1, "made once");
    assert_few(&proxied.proxy.take_calls());
    scene.delete("before").await;
    scene.delete("during").await;
}

#[tokio::test]
async fn throttled_by_the_api_server_it_makes_each_call_once_more() {
    let scene = Scene::open("api-throttled").await;
    let refused = Effect::Refuse(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", Some(1));
    let throttled = Fault::new(refused, |call| !call.is_of_lease()).first_of_each();
    let proxied = Proxied::start(&scene.stage, [throttled]).await;
    live(&scene, "cart").await;
    assert!(proxied.proxy.struck() > 20, "{}", proxied.proxy.struck());
    assert_few(&proxied.proxy.take_calls());
}

#[tokio::test]
async fn a_conflict_on_each_first_write_changes_nothing_in_the_end() {
    let scene = Scene::open("api-conflict").await;
    let refused = Effect::Refuse(StatusCode::CONFLICT, "Conflict", None);
    let of_note = |call: &ApiCall| call.is_write() && !call.is_of_lease();
    let conflict = Fault::new(refused, of_note).first_of_each();
    let proxied = Proxied::start(&scene.stage, [conflict]).await;
    live(&scene, "cart").await;
    assert!(proxied.proxy.struck() > 5, "{}", proxied.proxy.struck());
    assert_few(&proxied.proxy.take_calls());
}

#[tokio::test]
async fn watches_that_are_too_old_begin_anew_with_one_list() {
    let scene = Scene::open("api-gone").await;
    let proxied = Proxied::start(&scene.stage, []).await;
    scene.ready("before", named(&scene, "before")).await;
    let kinds = |calls: &[ApiCall]| {
        let watches = calls.iter().filter(|call| call.is_watch);
        counted(watches).len()
    };
    let watched = kinds(&proxied.proxy.take_calls());
    assert!(watched > 8, "{watched}");
    let gone = Effect::Refuse(StatusCode::GONE, "Expired", None);
    let gone = Fault::new(gone, |call| call.is_watch).first_of_each();
    proxied.proxy.fault(gone);
    proxied.proxy.break_connections();
    eventually("each watch was refused", async || {
        (proxied.proxy.struck() == watched).then_some(())
    })
    .await;
    scene.delete("before").await;
    live(&scene, "after").await;
    assert_few(&proxied.proxy.take_calls());
}
