//! The same rule for every pod with the label, whoever binds it (`legacyNetRaw`).

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::agreement::{Verdicts, specs};
use super::templates::{agree_with_core, template, workloads};
use super::{drops, keeps, pod};
use crate::added_policies::{LEGACY, LEGACY_AUDIT, LEGACY_TEMPLATES, LEGACY_TEMPLATES_AUDIT};
use crate::fixture::Space;

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_labelled_pod_without_a_profile() {
    let space = Space::under(LEGACY).await;
    let mut verdicts = Verdicts::in_words([
        LEGACY.name.to_owned(),
        "this cluster holds every pod with the label aadpodidbinding to the rule (legacyNetRaw: Enforce)"
            .to_owned(),
    ]);
    for spec in specs() {
        let mut pod = pod("p", "by-hand", &keeps());
        pod["spec"] = spec;
        let said = space.admits(pod.clone()).await;
        verdicts.compare(&pod, said);
    }
    verdicts.are_enough();
}

#[tokio::test]
async fn audit_admits_with_a_warning() {
    let space = Space::under(LEGACY_AUDIT).await;
    let pods = format!("/api/v1/namespaces/{}/pods", space.name);
    let warning = async |context: Value| space.warning(&pods, &pod("p", "any", &context)).await;
    let said = warning(keeps()).await.expect("a warning");
    for words in [
        "(legacyNetRaw: Audit)",
        "container app does not drop NET_RAW",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    assert_eq!(warning(drops("ALL")).await, None);
}

#[tokio::test]
async fn templates_are_warned_of_in_both_modes() {
    for (policy, mode, verb) in [
        (LEGACY_TEMPLATES, "Enforce", "refuse them"),
        (LEGACY_TEMPLATES_AUDIT, "Audit", "warn of them"),
    ] {
        let space = Space::under(policy).await;
        let labelled = pod("p", "by-hand", &keeps());
        let mut unlabelled = labelled.clone();
        unlabelled["metadata"]["labels"] = json!({"app": "x"});
        for (path, object) in workloads(&space, &template(&labelled)) {
            let said = space.warning(&path, &object).await.expect(&path);
            assert!(said.contains(verb), "{path}: {said}");
        }
        for (path, object) in workloads(&space, &template(&unlabelled)) {
            assert_eq!(space.warning(&path, &object).await, None, "{path}");
        }
        agree_with_core(&space, &labelled, &format!("(legacyNetRaw: {mode})")).await;
    }
}

#[tokio::test]
async fn what_nothing_can_bind_is_admitted() {
    let space = Space::under(LEGACY).await;
    let mut unlabelled = pod("p", "", &keeps());
    space.admits(unlabelled.clone()).await.unwrap();
    unlabelled["metadata"]["labels"] = json!({"app": "x"});
    space.admits(unlabelled).await.unwrap();
    let mut windows = pod("p", "any", &keeps());
    windows["spec"]["os"] = json!({"name": "windows"});
    space.admits(windows).await.unwrap();
    space.admits(pod("p", "any", &drops("ALL"))).await.unwrap();
}

#[tokio::test]
async fn a_running_pod_is_checked_when_the_label_comes_and_left_alone_otherwise() {
    let space = Space::under(LEGACY).await;
    let mut older = pod("older", "", &keeps());
    older["metadata"]["labels"] = json!({});
    space.create("Pod", older, false).await.unwrap();
    let patch = async |labels: Value| {
        let change = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let (pods, parameters) = (space.api("Pod"), PatchParams::default());
        let patched = pods.patch("older", &parameters, &change).await;
        patched.map(|_| ())
    };
    patch(json!({"app": "x"})).await.unwrap();
    let refused = patch(json!({"aadpodidbinding": "any"})).await.unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("container app does not drop NET_RAW"),
        "{said}"
    );
}
