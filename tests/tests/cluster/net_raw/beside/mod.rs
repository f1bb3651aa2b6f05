//! Beside what others have installed: Pod Security Admission, and an engine whose policies change pods or refuse them.

mod engine;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::Request;
use serde_json::{Value, json};

use super::agreement::breaches;
use super::dropping::{API, create, dropping};
use super::{drops, keeps, pod, space};
use crate::fixture::{Space, eventually};
use engine::WebhookEngine;

/// Has Pod Security Admission hold a namespace to a level.
async fn level(space: &Space, level: &str) {
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
    namespaces
        .patch(&space.name, &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
}

/// A pod as `restricted` asks for it, but for what it drops.
fn restricted(dropped: &[&str]) -> Value {
    pod(
        "p",
        "shop",
        &json!({
            "runAsNonRoot": true, "allowPrivilegeEscalation": false,
            "seccompProfile": {"type": "RuntimeDefault"},
            "capabilities": {"drop": dropped},
        }),
    )
}

#[tokio::test]
async fn pod_security_admission_says_its_own_and_takes_nothing_from_the_rule() {
    let space = space().await;
    level(&space, "restricted").await;
    let theirs = async || {
        let said = space.admits(restricted(&["NET_RAW"])).await.err()?;
        said.contains("violates PodSecurity").then_some(())
    };
    eventually("the level", theirs).await;
    space.admits(restricted(&["ALL"])).await.unwrap();
    let said = space.admits(restricted(&[])).await.expect_err("both");
    assert!(said.contains("violates PodSecurity"), "{said}");

    // This level leaves pods NET_RAW.
    level(&space, "baseline").await;
    let ours = async || {
        let said = space.admits(restricted(&[])).await.err()?;
        said.contains("does not drop NET_RAW").then_some(())
    };
    eventually("the other level", ours).await;
    space.admits(restricted(&["NET_RAW"])).await.unwrap();
}

#[tokio::test]
async fn the_drop_that_is_added_does_not_pass_for_what_restricted_asks() {
    let space = dropping().await;
    level(&space, "restricted").await;
    let theirs = async || {
        let said = space.admits(restricted(&[])).await.err()?;
        said.contains("violates PodSecurity").then_some(())
    };
    eventually("the level", theirs).await;
    space.admits(restricted(&["ALL"])).await.unwrap();
}

/// Has the policies of another engine hold in the namespace.
async fn install(space: &Space, name: &str, kind: &str, spec: Value) {
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
    }]);
    let mut policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": format!("{kind}AdmissionPolicy"),
        "metadata": {"name": name}, "spec": spec,
    });
    policy["spec"]["matchConstraints"] = json!({"resourceRules": rules});
    let own = json!({"matchLabels": {"kubernetes.io/metadata.name": space.name}});
    let mut binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": format!("{kind}AdmissionPolicyBinding"), "metadata": {"name": name},
        "spec": {"policyName": name, "matchResources": {"namespaceSelector": own}},
    });
    if kind == "Validating" {
        binding["spec"]["validationActions"] = json!(["Deny"]);
    }
    let plural = kind.to_lowercase();
    create(space, &format!("{plural}admissionpolicies"), &policy).await;
    create(space, &format!("{plural}admissionpolicybindings"), &binding).await;
}

/// Adds a sidecar, gives the first container other capabilities than it asked for, both without a drop, and notes
/// whether it found one.
fn meddling(again: &str) -> Value {
    let patches = "[JSONPatch{op: 'add', path: '/metadata/annotations', value: dyn({'found':
        object.spec.containers[0].?securityContext.?capabilities.?drop.hasValue() ? 'a drop' : 'none'})},
        JSONPatch{op: 'add', path: '/spec/containers/0/securityContext',
        value: dyn({'capabilities': {'add': ['CHOWN']}})}]
        + (object.spec.containers.exists(c, c.name == 'sidecar') ? []
        : [JSONPatch{op: 'add', path: '/spec/containers/-', value: dyn({'name': 'sidecar', 'image': 'x'})}])";
    let mutation = json!({"patchType": "JSONPatch", "jsonPatch": {"expression": patches}});
    json!({"failurePolicy": "Fail", "reinvocationPolicy": again, "mutations": [mutation]})
}

/// A namespace in which the drop is added, and another engine meddles: once, or again whenever a pod has changed.
async fn meddled(again: &str) -> Space {
    let space = dropping().await;
    let name = format!("engine-{}", space.name);
    install(&space, &name, "Mutating", meddling(again)).await;
    let meddles = async || {
        let made = space.create("Pod", pod("p", "other", &keeps()), true);
        let containers = made.await.ok()?["spec"]["containers"].as_array()?.len();
        (containers == 2).then_some(())
    };
    eventually("the other engine", meddles).await;
    space
}

/// Creates bound pods until their fates have all been seen; no fate is a pod that keeps NET_RAW. API servers run
/// policies in no order of their own, and in a new one whenever any has changed.
async fn until_fates(space: &Space, expected: &[&str]) {
    let mut seen = BTreeSet::new();
    eventually("every order of the policies", async || {
        shuffle(space).await;
        seen.insert(
            match space.create("Pod", pod("p", "shop", &keeps()), true).await {
                Ok(made) => {
                    assert!(breaches(&made).is_empty(), "admitted: {made}");
                    let containers = made["spec"]["containers"].as_array().unwrap();
                    assert_eq!(containers.len(), 2, "the sidecar is there: {made}");
                    let found = made["metadata"]["annotations"]["found"].as_str();
                    format!("admitted, found {}", found.unwrap())
                }
                Err(said) => {
                    assert!(said.contains("podid-net-raw-enforce"), "{said}");
                    "refused".to_owned()
                }
            },
        );
        let wanted = expected.iter().all(|fate| seen.contains(*fate));
        wanted.then_some(())
    })
    .await;
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
}

/// Changes a binding, but not what it says.
async fn shuffle(space: &Space) {
    let path = format!("{API}/mutatingadmissionpolicybindings");
    let stamp = Timestamp::now().to_string();
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"stamp": stamp}}}));
    let request = Request::new(path).patch(&space.name, &PatchParams::default(), &patch);
    let _changed: Value = space.client.request(request.unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_another_engine_takes_away_or_adds_gets_the_drop_in_whatever_order_they_run() {
    let space = meddled("Never").await;
    until_fates(&space, &["admitted, found none", "admitted, found a drop"]).await;
}

#[tokio::test]
async fn an_engine_that_takes_the_drop_away_again_has_the_pod_refused() {
    let space = meddled("IfNeeded").await;
    until_fates(&space, &["admitted, found a drop", "refused"]).await;
}

#[tokio::test]
async fn an_engine_that_refuses_says_its_own_and_podid_its() {
    let space = space().await;
    let name = format!("engine-{}", space.name);
    let message = "the engine wants a team";
    let team = json!({"expression": "has(object.metadata.labels.team)", "message": message});
    let spec = json!({"failurePolicy": "Fail", "validations": [team]});
    install(&space, &name, "Validating", spec).await;
    let with = |context: &Value, team: bool| {
        let mut pod = pod("p", "shop", context);
        if team {
            pod["metadata"]["labels"]["team"] = json!("a");
        }
        pod
    };
    let theirs = async || space.admits(with(&drops("ALL"), false)).await.err();
    let said = eventually("the other engine", theirs).await;
    assert!(said.contains(message) && !said.contains("podid"), "{said}");
    let said = space.admits(with(&keeps(), true)).await.expect_err("ours");
    assert!(said.contains("podid-net-raw-enforce"), "{said}");
    space.admits(with(&keeps(), false)).await.expect_err("both");
    space.admits(with(&drops("ALL"), true)).await.unwrap();
}

/// What a mesh does: a sidecar of its own, once, without a drop.
#[expect(clippy::unnecessary_wraps, reason = "an engine may refuse")]
fn adds_a_sidecar(pod: &Value) -> Result<Vec<Value>, String> {
    let containers = pod["spec"]["containers"].as_array();
    let has_one = containers
        .into_iter()
        .flatten()
        .any(|one| one["name"] == "sidecar");
    let sidecar = json!({"name": "sidecar", "image": "x"});
    let add = json!({"op": "add", "path": "/spec/containers/-", "value": sidecar});
    Ok(if has_one { vec![] } else { vec![add] })
}

/// What a policy of an engine does that has all containers drop what they need not.
#[expect(clippy::unnecessary_wraps, reason = "an engine may refuse")]
fn drops_all(_: &Value) -> Result<Vec<Value>, String> {
    let path = "/spec/containers/0/securityContext";
    Ok(vec![
        json!({"op": "add", "path": path, "value": drops("ALL")}),
    ])
}

fn wants_a_team(pod: &Value) -> Result<Vec<Value>, String> {
    match pod["metadata"]["labels"]["team"].is_string() {
        true => Ok(vec![]),
        false => Err("the engine wants a team".to_owned()),
    }
}

/// Creates a pod, without keeping it, until the engine has had its say.
async fn until_changed(space: &Space, pod: &Value, changed: impl Fn(&Value) -> bool) {
    let asked = async || {
        let made = space.create("Pod", pod.clone(), true).await.ok()?;
        changed(&made).then_some(())
    };
    eventually("the webhook", asked).await;
}

fn has_sidecar(pod: &Value) -> bool {
    pod["spec"]["containers"][1]["name"] == "sidecar"
}

#[tokio::test]
async fn a_sidecar_of_a_webhook_is_held_to_the_rule() {
    let space = space().await;
    let engine = WebhookEngine::start(adds_a_sidecar);
    engine.install(&space, "Mutating").await;
    until_changed(&space, &pod("p", "other", &keeps()), has_sidecar).await;
    let said = space
        .admits(pod("p", "shop", &drops("ALL")))
        .await
        .expect_err("the sidecar");
    assert!(
        said.contains("container sidecar does not drop NET_RAW"),
        "{said}"
    );
}

#[tokio::test]
async fn a_sidecar_of_a_webhook_gets_the_drop() {
    let space = dropping().await;
    let engine = WebhookEngine::start(adds_a_sidecar);
    engine.install(&space, "Mutating").await;
    until_changed(&space, &pod("p", "other", &keeps()), has_sidecar).await;
    let made = space
        .create("Pod", pod("p", "shop", &keeps()), true)
        .await
        .unwrap();
    assert!(has_sidecar(&made) && breaches(&made).is_empty(), "{made}");
}

#[tokio::test]
async fn a_drop_that_a_webhook_adds_is_as_good_as_the_authors() {
    let space = space().await;
    let engine = WebhookEngine::start(drops_all);
    engine.install(&space, "Mutating").await;
    let dropped = |pod: &Value| breaches(pod).is_empty();
    until_changed(&space, &pod("p", "shop", &keeps()), dropped).await;
}

#[tokio::test]
async fn a_webhook_that_refuses_or_is_down_takes_nothing_from_the_rule() {
    let space = space().await;
    let engine = WebhookEngine::start(wants_a_team);
    engine.install(&space, "Validating").await;
    let theirs = async || space.admits(pod("p", "shop", &drops("ALL"))).await.err();
    let said = eventually("the webhook", theirs).await;
    assert!(
        said.contains("the engine wants a team") && !said.contains("podid"),
        "{said}"
    );
    let mut of_a_team = pod("p", "shop", &keeps());
    of_a_team["metadata"]["labels"]["team"] = json!("a");
    let said = space.admits(of_a_team.clone()).await.expect_err("ours");
    assert!(said.contains("podid-net-raw-enforce"), "{said}");
    drop(engine);
    of_a_team["spec"]["containers"][0]["securityContext"] = drops("ALL");
    let down = async || space.admits(of_a_team.clone()).await.err();
    let said = eventually("the webhook being down", down).await;
    assert!(
        said.contains("engine.example.com") && !said.contains("podid"),
        "{said}"
    );
}
