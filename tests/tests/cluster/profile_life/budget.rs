//! Azure's limits on requests, which the simulated one has as well: the operator keeps them.

use std::collections::BTreeSet;

use futures::future::join_all;
use podid_lab::layout::{LOCATION, RESOURCE_GROUP, SUBSCRIPTION};
use reqwest::Method;
use serde_json::json;

use super::scene::Scene;
use super::turns::{answers, apply_all, before_all_were_made, delete_all, names, until_all_ready};
use crate::fixture::eventually;

/// Profiles that cost more reads than Azure allows at once: four each, and some more for their nodes.
const MANY: usize = 100;

/// How many calls Azure has refused for their number, by operation.
async fn throttled(scene: &Scene) -> Vec<String> {
    let log = scene.stage.admin(Method::GET, "/calls", None).await;
    let calls = log["calls"].as_array().expect("calls");
    let refused = calls.iter().filter(|call| call["status"] == 429);
    refused.map(|call| call["operation"].to_string()).collect()
}

/// The profiles that were read by themselves.
async fn looked_at(scene: &Scene) -> BTreeSet<String> {
    let answers = answers(scene).await.into_iter();
    let reads = answers.filter(|(operation, _)| operation == "get");
    reads.map(|(_, profile)| profile).collect()
}

#[tokio::test]
async fn azure_refuses_no_call_for_their_number_also_after_a_restart() {
    let scene = Scene::open("budget").await;
    // Each takes an identity that is there, as identities are made at two a second only.
    let many = names("many", MANY);
    let identity = |name: &String| {
        let name = format!("{}-{name}", scene.namespace);
        json!({ "name": name, "resourceGroup": RESOURCE_GROUP })
    };
    let identities: Vec<_> = many.iter().map(identity).collect();
    let seed = json!({
        "subscriptions": [SUBSCRIPTION], "location": LOCATION, "identities": identities,
    });
    scene.stage.admin(Method::POST, "/seed", Some(seed)).await;
    let group = super::scene::group(RESOURCE_GROUP);
    join_all(many.iter().map(|name| {
        let id = format!(
            "{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}-{name}",
            scene.namespace
        );
        scene.profile(name, json!({ "identity": { "resourceId": id } }))
    }))
    .await;
    until_all_ready(&scene, &many).await;
    assert_eq!(throttled(&scene).await, [""; 0], "at the first look");

    // Where nothing can be listed, each profile is read by itself.
    let no = json!({ "error": { "code": "AuthorizationFailed", "message": "No." } });
    let refuse = json!({ "kind": "respond", "status": 403, "body": no });
    let lists = json!({ "operation": "arm.identity.list", "effect": refuse });
    scene.stage.admin(Method::DELETE, "/calls", None).await;
    scene.stage.fault(lists).await;
    scene.stage.kill_operator();
    eventually("they are looked at again", async || {
        (!looked_at(&scene).await.is_empty()).then_some(())
    })
    .await;
    let innocent = names("innocent", 3);
    apply_all(&scene, &innocent).await;
    until_all_ready(&scene, &innocent).await;
    let before = before_all_were_made(&scene, &innocent, "many").await;
    let before: BTreeSet<_> = before.into_iter().collect();
    assert!(
        before.len() < MANY / 2,
        "a change goes before a look: {before:?}"
    );
    eventually("all are looked at again", async || {
        let looked_at = looked_at(&scene).await;
        many.iter()
            .all(|name| looked_at.contains(name))
            .then_some(())
    })
    .await;
    assert_eq!(throttled(&scene).await, [""; 0], "after a restart");
    delete_all(&scene, &[many, innocent].concat()).await;
}
