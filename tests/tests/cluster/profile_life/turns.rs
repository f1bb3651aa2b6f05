//! Whose turn it is while there is much to do: who waits for Azure keeps nobody else from it.

use std::time::{Duration, Instant};

use futures::future::join_all;
use podid_azure::{ArmIdentities, Identities, IdentityId};
use podid_lab::layout::{RESOURCE_GROUP, SUBSCRIPTION};
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::Scene;
use crate::fixture::eventually;

/// More profiles than are reconciled at once.
const MANY: usize = 60;
/// How many re-checks run at once: half of `--concurrency` as it is shipped.
const RECHECKS: usize = 8;

/// Names of profiles whose identities no other test has.
pub(super) fn names(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{word}{number}")).collect()
}

/// Azure's answers about the identities of the namespace, oldest first: the operation and the profile.
pub(super) async fn answers(scene: &Scene) -> Vec<(String, String)> {
    let log = scene.stage.admin(Method::GET, "/calls", None).await;
    let calls = log["calls"].as_array().expect("calls").clone();
    let prefix = format!("/{}-", scene.namespace);
    let of_note = calls.iter().filter_map(|call| {
        let operation = call["operation"].as_str()?.strip_prefix("arm.identity.")?;
        let (_, profile) = call["resource"].as_str()?.split_once(&prefix)?;
        Some((operation.to_owned(), profile.to_owned()))
    });
    of_note.collect()
}

/// What Azure answered about profiles of this word before it first answered a `put` for each of `innocent`.
pub(super) async fn before_all_were_made(
    scene: &Scene,
    innocent: &[String],
    word: &str,
) -> Vec<String> {
    let answers = answers(scene).await;
    let made = |name: &String| {
        let put = ("put".to_owned(), name.clone());
        let at = answers.iter().position(|answer| *answer == put);
        at.unwrap_or_else(|| panic!("{name} was not made: {answers:?}"))
    };
    let last = innocent.iter().map(made).max().expect("some are innocent");
    let before = answers.into_iter().take(last);
    let profiles = before.map(|(_, profile)| profile);
    profiles.filter(|name| name.starts_with(word)).collect()
}

pub(super) async fn apply_all(scene: &Scene, names: &[String]) {
    let apply = |name: &String| {
        let identity = format!("{}-{name}", scene.namespace);
        let spec = json!({ "identity": { "name": identity } });
        let name = name.clone();
        async move { scene.profile(&name, spec).await }
    };
    join_all(names.iter().map(apply)).await;
}

pub(super) async fn until_all_ready(scene: &Scene, names: &[String]) {
    join_all(names.iter().map(|name| scene.until(name, "Ready", "True"))).await;
}

pub(super) async fn delete_all(scene: &Scene, names: &[String]) {
    scene.stage.heal().await;
    join_all(names.iter().map(|name| scene.delete(name))).await;
}

async fn disturb(scene: &Scene, operation: &str, word: &str, effect: Value) {
    let resource = format!("/{}-{word}", scene.namespace);
    let fault = json!({ "operation": operation, "resource": resource, "effect": effect });
    scene.stage.fault(fault).await;
}

#[tokio::test]
async fn profiles_that_azure_throttles_keep_no_other_waiting() {
    let scene = Scene::open("many-throttled").await;
    let effect = json!({
        "kind": "respond", "status": 429, "headers": { "Retry-After": "14" },
        "body": { "error": { "code": "TooManyRequests", "message": "Slow down." } },
    });
    disturb(&scene, "arm.identity.*", "slow", effect).await;
    let slow = names("slow", MANY);
    apply_all(&scene, &slow).await;
    eventually("some are throttled", async || {
        (answers(&scene).await.len() >= RECHECKS).then_some(())
    })
    .await;
    scene.stage.admin(Method::DELETE, "/calls", None).await;

    let innocent = names("innocent", 3);
    apply_all(&scene, &innocent).await;
    until_all_ready(&scene, &innocent).await;
    let mut asked = before_all_were_made(&scene, &innocent, "slow").await;
    asked.sort();
    let times = asked.chunk_by(|a, b| a == b).map(<[String]>::len).max();
    assert!(
        times <= Some(1),
        "a throttled one was tried again first: {asked:?}"
    );
    delete_all(&scene, &[slow, innocent].concat()).await;
}

#[tokio::test]
async fn a_persons_change_goes_before_what_is_only_looked_at_again() {
    let scene = Scene::open("rechecks").await;
    let slow = names("slow", MANY);
    apply_all(&scene, &slow).await;
    until_all_ready(&scene, &slow).await;
    // Where nothing can be listed, each profile is read by itself.
    let no = json!({ "error": { "code": "AuthorizationFailed", "message": "No." } });
    let refuse = json!({ "kind": "respond", "status": 403, "body": no });
    let lists = json!({ "operation": "arm.identity.list", "effect": refuse });
    scene.stage.fault(lists).await;
    let effect = json!({ "kind": "delay", "seconds": 10 });
    disturb(&scene, "arm.identity.get", "slow", effect).await;
    allow_another(&scene, 0).await;
    eventually("they are looked at", async || {
        answers(&scene)
            .await
            .iter()
            .any(|(operation, _)| operation == "get")
            .then_some(())
    })
    .await;
    scene.stage.admin(Method::DELETE, "/calls", None).await;

    let innocent = names("innocent", 4);
    apply_all(&scene, &innocent).await;
    until_all_ready(&scene, &innocent).await;
    let looked_at = before_all_were_made(&scene, &innocent, "slow").await;
    assert!(
        looked_at.len() <= 2 * RECHECKS,
        "these were looked at first: {looked_at:?}"
    );
    delete_all(&scene, &[slow, innocent].concat()).await;
}

#[tokio::test]
async fn what_is_as_it_should_be_is_not_read_one_by_one() {
    let scene = Scene::open("listed").await;
    let all = names("team", MANY);
    apply_all(&scene, &all).await;
    until_all_ready(&scene, &all).await;
    scene.stage.admin(Method::DELETE, "/calls", None).await;
    // One that was made before an identity does not show it, so that its profile is read by itself.
    let before = look_until(&scene, 0, "a list of all identities", async || {
        let path = "/calls?operation=arm.identity.list";
        let log = scene.stage.admin(Method::GET, path, None).await;
        let calls = log["calls"].as_array().expect("calls");
        calls.iter().any(|call| call["status"] == 200)
    })
    .await;
    let (meddled, others) = all.split_last().expect("there are some");
    let identity = format!("{}-{meddled}", scene.namespace);
    let identities = ArmIdentities::new(&scene.stage.arm());
    let id = IdentityId::new(SUBSCRIPTION, RESOURCE_GROUP, &identity);
    identities.delete(&id).await.expect("deleted by hand");
    scene.stage.admin(Method::DELETE, "/calls", None).await;
    let rounds = look_until(&scene, before, "the identity is there again", async || {
        let answers = answers(&scene).await;
        answers.contains(&("put".to_owned(), meddled.clone()))
    })
    .await;
    let read: Vec<_> = answers(&scene).await;
    let of_others = read.iter().filter(|(_, profile)| others.contains(profile));
    // All were looked at after each change of the class. A few may differ from their lists for a moment, as when a status
    // is not in the cache yet.
    let looks = others.len() * rounds;
    assert!(of_others.count() < looks / 2, "{looks} looks: {read:?}");
    delete_all(&scene, &all).await;
}

/// Has all profiles of the class looked at, and again every few seconds until lists are made that are young enough for it
/// to be so; returns how often. `before` of such looks were caused by this test already.
async fn look_until(
    scene: &Scene,
    before: usize,
    what: &str,
    is_so: impl AsyncFn() -> bool,
) -> usize {
    let (mut rounds, mut changed) = (1, Instant::now());
    allow_another(scene, before).await;
    eventually(what, async || {
        if changed.elapsed() > Duration::from_secs(5) {
            allow_another(scene, before + rounds).await;
            (rounds, changed) = (rounds + 1, Instant::now());
        }
        is_so().await.then_some(())
    })
    .await;
    rounds
}

/// A class that allows something else now is a reason to look at all of its profiles.
async fn allow_another(scene: &Scene, number: usize) {
    let names = [scene.namespace.clone(), format!("other-{number}")];
    let limits = json!({ "namespaces": { "names": names } });
    scene.class(json!({ "limits": limits })).await;
}
