//! The same rule for every pod with the label, whoever binds it (`legacyNetRaw`).

use kube::api::{DeleteParams, Patch, PatchParams};
use podid_tests::manifests::{kustomize, objects};
use serde_json::{Value, json};

use super::agreement::{Verdicts, specs};
use super::templates::{agree_with_core, template, workloads};
use super::{drops, keeps, pod};
use crate::fixture::{Space, eventually};

/// The policy as a component adds it, holding in one namespace, in which there is no profile.
struct Rule {
    space: Space,
}

impl Rule {
    /// That of the component `legacy-net-raw`, once it holds.
    async fn enforced() -> Self {
        let rule = Self::applied("legacy").await;
        let refused = async || rule.space.admits(pod("p", "any", &keeps())).await.err();
        eventually("the policy", refused).await;
        rule
    }

    async fn applied(folder: &str) -> Self {
        let rule = Self {
            space: Space::new("legacy-net-raw").await,
        };
        let name = &rule.space.name;
        let rendered = kustomize(&format!("kustomize/cluster/policies/net-raw/{folder}")).unwrap();
        for mut object in objects(&rendered) {
            object["metadata"]["name"] = name.clone().into();
            if object["spec"].get("policyName").is_some() {
                let own = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
                object["spec"]["policyName"] = name.clone().into();
                object["spec"]["matchResources"] = json!({"namespaceSelector": own});
            }
            let api = rule.space.api(object["kind"].as_str().unwrap());
            let apply = PatchParams::apply("test");
            api.patch(name, &apply, &Patch::Apply(&object))
                .await
                .unwrap();
        }
        rule
    }

    async fn remove(&self) {
        for kind in [
            "ValidatingAdmissionPolicyBinding",
            "ValidatingAdmissionPolicy",
        ] {
            let api = self.space.api(kind);
            api.delete(&self.space.name, &DeleteParams::default())
                .await
                .unwrap();
        }
    }

    /// What the API server finds wrong with the types in the policy's expressions.
    async fn type_faults(&self) -> Option<Value> {
        let policies = self.space.api("ValidatingAdmissionPolicy");
        let checked = async || {
            let policy = policies.get(&self.space.name).await.unwrap();
            policy.data["status"].get("typeChecking").cloned()
        };
        let result = eventually("the type check of the policy", checked).await;
        result.get("expressionWarnings").cloned()
    }
}

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_labelled_pod_without_a_profile() {
    let rule = Rule::enforced().await;
    assert_eq!(rule.type_faults().await, None);
    let mut verdicts = Verdicts::in_words([
        rule.space.name.clone(),
        "this cluster holds every pod with the label aadpodidbinding to the rule (legacyNetRaw: Enforce)"
            .to_owned(),
    ]);
    for spec in specs() {
        let mut pod = pod("p", "by-hand", &keeps());
        pod["spec"] = spec;
        let said = rule.space.admits(pod.clone()).await;
        verdicts.compare(&pod, said);
    }
    verdicts.are_enough();
    rule.remove().await;
}

#[tokio::test]
async fn audit_admits_with_a_warning() {
    let rule = Rule::applied("legacy-audit").await;
    let pods = format!("/api/v1/namespaces/{}/pods", rule.space.name);
    let warning =
        async |context: Value| rule.space.warning(&pods, &pod("p", "any", &context)).await;
    let said = eventually("a warning", async || warning(keeps()).await).await;
    for words in [
        "(legacyNetRaw: Audit)",
        "container app does not drop NET_RAW",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    assert_eq!(warning(drops("ALL")).await, None);
    rule.remove().await;
}

#[tokio::test]
async fn templates_are_warned_of_in_both_modes() {
    for (folder, mode, verb) in [
        ("legacy-templates", "Enforce", "refuse them"),
        ("legacy-templates-audit", "Audit", "warn of them"),
    ] {
        let rule = Rule::applied(folder).await;
        let labelled = pod("p", "by-hand", &keeps());
        let mut unlabelled = labelled.clone();
        unlabelled["metadata"]["labels"] = json!({"app": "x"});
        let all = workloads(&rule.space, &template(&labelled));
        let (path, deployment) = &all[0];
        let warned = async || rule.space.warning(path, deployment).await;
        eventually("a warning", warned).await;
        assert_eq!(rule.type_faults().await, None);
        for (path, object) in &all {
            let said = rule.space.warning(path, object).await.expect(path);
            assert!(said.contains(verb), "{path}: {said}");
        }
        for (path, object) in workloads(&rule.space, &template(&unlabelled)) {
            assert_eq!(rule.space.warning(&path, &object).await, None, "{path}");
        }
        agree_with_core(&rule.space, &labelled, &format!("(legacyNetRaw: {mode})")).await;
        rule.remove().await;
    }
}

#[tokio::test]
async fn what_nothing_can_bind_is_admitted() {
    let rule = Rule::enforced().await;
    let mut unlabelled = pod("p", "", &keeps());
    rule.space.admits(unlabelled.clone()).await.unwrap();
    unlabelled["metadata"]["labels"] = json!({"app": "x"});
    rule.space.admits(unlabelled).await.unwrap();
    let mut windows = pod("p", "any", &keeps());
    windows["spec"]["os"] = json!({"name": "windows"});
    rule.space.admits(windows).await.unwrap();
    rule.space
        .admits(pod("p", "any", &drops("ALL")))
        .await
        .unwrap();
    rule.remove().await;
}

#[tokio::test]
async fn a_running_pod_is_checked_when_the_label_comes_and_left_alone_otherwise() {
    let rule = Rule::enforced().await;
    let space = &rule.space;
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
    rule.remove().await;
}
