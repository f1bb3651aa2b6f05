//! What the status of a class says of neighbours that run, and of policies that somebody removed or changed.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use podid_crds::podid::{PodIdentityClass, PodIdentityClassStatus};
use serde_json::{Value, json};

use super::scene::{Scene, says};
use crate::fixture::eventually;
use crate::objects::Objects;
use crate::stage::SET_NODES;

/// A pod without a label that keeps `NET_RAW`, and is placed.
fn keeping(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": {
            "nodeName": SET_NODES[0],
            "containers": [{ "name": "main", "image": "registry.example/app" }],
        },
    })
}

async fn class_status(scene: &Scene) -> PodIdentityClassStatus {
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    let class = classes.get(&scene.namespace).await.unwrap();
    class.status.unwrap_or_default()
}

/// Has the class looked at now, and looks until a condition of it has this reason.
async fn until_class_says(scene: &Scene, kind: &str, reason: &str, request: &str) -> String {
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    let annotations = json!({ "reconcile.fluxcd.io/requestedAt": request });
    let request = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    classes
        .patch(&scene.namespace, &PatchParams::default(), &request)
        .await
        .unwrap();
    eventually(&format!("{kind} of the class: {reason}"), async || {
        let conditions = class_status(scene).await.conditions;
        let mut all = conditions.into_iter().flatten();
        let found = all.find(|one| one.type_ == kind && one.reason == reason);
        found.map(|found| found.message)
    })
    .await
}

/// Looks until the API server refuses a pod in these words, among others; returns all of them.
async fn until_refused(objects: &Objects, pod: &Value, words: &str) -> String {
    let pod: Pod = serde_json::from_value(pod.clone()).expect("a pod");
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    eventually("the pod being refused", async || {
        let answer = objects.api::<Pod>().create(&dry, &pod).await;
        let refused = answer.err().map(|error| error.to_string());
        refused.filter(|refused| refused.contains(words))
    })
    .await
}

#[tokio::test]
async fn pods_of_all_nodes_are_asked_and_those_that_ran_before_are_named() {
    let scene = Scene::without_class("neighbours").await;
    // The status names the first by name, and other tests leave pods behind.
    let team = Objects::in_new_namespace(&scene.stage.client, "a-team").await;
    team.create::<Pod>(keeping("old")).await;
    let neighbours = json!({ "rule": "Enforce", "scope": "Nodes" });
    scene.class(json!({ "neighbours": neighbours })).await;
    let asked = format!(
        "class {} (neighbours: Enforce) asks this of every pod on nodes that serve",
        scene.namespace
    );
    until_refused(&team, &keeping("new"), &asked).await;
    let said = until_class_says(&scene, "NeighboursReady", "PodsKeepNetRaw", "1").await;
    let named = format!(
        "{}/old (container main does not drop NET_RAW)",
        team.namespace
    );
    assert!(said.contains(&named), "{said}");
    let status = class_status(&scene).await;
    assert!(status.breaking_neighbour_count >= Some(1), "{status:?}");
    let is_old = |pod: &_| {
        let podid_crds::podid::BreakingNeighbour {
            namespace, name, ..
        } = pod;
        *namespace == team.namespace && name == "old"
    };
    assert!(
        status
            .breaking_neighbours
            .unwrap_or_default()
            .iter()
            .any(is_old)
    );

    let now = DeleteParams::default().grace_period(0);
    team.api::<Pod>().delete("old", &now).await.unwrap();
    let own = json!({ "rule": "Enforce", "scope": "Namespaces" });
    scene.class(json!({ "neighbours": own })).await;
    until_class_says(&scene, "NeighboursReady", "Enforced", "2").await;
    assert_eq!(class_status(&scene).await.breaking_neighbour_count, Some(0));
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    classes
        .delete(&scene.namespace, &DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_policy_that_somebody_changed_or_removed_is_named_until_it_is_back() {
    let scene = Scene::open("policies").await;
    let profile = scene.ready("cart", json!({})).await;
    assert_eq!(says(&profile, "EnforcementReady").0, "Enforced");
    let name = "podid-net-raw-enforce";
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(scene.stage.client.clone());
    let mut shipped = bindings.get(name).await.unwrap();
    let weaker = Patch::Merge(json!({ "spec": { "validationActions": ["Warn"] } }));
    bindings
        .patch(name, &PatchParams::default(), &weaker)
        .await
        .unwrap();
    let said = until_class_says(&scene, "PoliciesInstalled", "PolicyChanged", "1").await;
    assert!(
        said.contains("podid-net-raw-enforce has a changed binding (without it, bound pods"),
        "{said}"
    );
    let profile = scene.poke("cart", "1").await;
    let (reason, message) = says(&profile, "EnforcementReady");
    assert_eq!(reason, "PolicyChanged", "{message}");
    let about_classes = Objects::in_default(&scene.stage.client);
    let told = about_classes.until_event(&scene.namespace, "PolicyChanged");
    let told = told.await;
    assert!(
        told.contains("podid-net-raw-enforce has a changed binding"),
        "{told}"
    );

    bindings
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    let profile = scene.poke("cart", "2").await;
    assert_eq!(says(&profile, "EnforcementReady").0, "PolicyMissing");

    shipped.metadata.resource_version = None;
    shipped.metadata.uid = None;
    bindings
        .create(&PostParams::default(), &shipped)
        .await
        .unwrap();
    until_class_says(&scene, "PoliciesInstalled", "Installed", "2").await;
    about_classes
        .until_event(&scene.namespace, "Installed")
        .await;
    let profile = scene.poke("cart", "3").await;
    assert_eq!(says(&profile, "EnforcementReady").0, "Enforced");
    let mut bound = keeping("probe");
    bound["metadata"]["labels"] = json!({ "aadpodidbinding": "cart" });
    until_refused(&scene, &bound, "does not drop NET_RAW").await;
}

/// Somebody edits a rule by hand: first so that it refuses nothing, then so that it cannot be evaluated.
#[tokio::test]
async fn a_rule_that_somebody_weakened_is_named_and_one_that_cannot_be_evaluated_refuses() {
    let scene = Scene::open("broken-rule").await;
    scene.ready("cart", json!({})).await;
    let name = "podid-net-raw-enforce";
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(scene.stage.client.clone());
    let shipped = policies.get(name).await.unwrap();
    let rule = |expression: &str| {
        let rules = json!([{ "expression": expression, "message": "edited by hand" }]);
        Patch::Merge(json!({ "spec": { "validations": rules } }))
    };
    let params = PatchParams::default();
    let mut bound = keeping("probe");
    bound["metadata"]["labels"] = json!({ "aadpodidbinding": "cart" });
    policies.patch(name, &params, &rule("true")).await.unwrap();
    let said = until_class_says(&scene, "PoliciesInstalled", "PolicyChanged", "1").await;
    let weakened = scene.poke("cart", "1").await;
    // What it compiles to is known when a pod comes only: the profile has no such field.
    let broken = rule("dyn(params).spec.noSuchField == 1");
    policies.patch(name, &params, &broken).await.unwrap();
    let refused = until_refused(&scene, &bound, "no such key").await;
    scene.create::<Pod>(keeping("free")).await;
    let no_cel = policies.patch(name, &params, &rule("this is no CEL")).await;
    let back =
        Patch::Merge(json!({ "spec": { "validations": shipped.spec.unwrap().validations } }));
    policies.patch(name, &params, &back).await.unwrap();

    let named = "podid-net-raw-enforce says something else (without it, bound pods";
    assert!(said.contains(named), "{said}");
    let (reason, message) = says(&weakened, "EnforcementReady");
    assert_eq!(reason, "PolicyChanged");
    let named = "ValidatingAdmissionPolicy podid-net-raw-enforce was changed";
    assert!(message.contains(named), "{message}");
    assert!(refused.contains(name), "{refused}");
    let no_cel = no_cel.expect_err("no CEL").to_string();
    assert!(no_cel.contains("compilation failed"), "{no_cel}");
    until_class_says(&scene, "PoliciesInstalled", "Installed", "2").await;
    let profile = scene.poke("cart", "2").await;
    assert_eq!(says(&profile, "EnforcementReady").0, "Enforced");
    until_refused(&scene, &bound, "does not drop NET_RAW").await;
}
