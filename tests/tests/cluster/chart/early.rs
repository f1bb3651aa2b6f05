//! podid's policies on a cluster that does not know podid's kinds yet.

use std::fs;

use podid_tests::manifests::{kustomize, objects};
use serde_json::json;

use super::prober::{Prober, pod};
use super::stage::Stage;

/// Applies the policies and their bindings, and nothing else.
fn apply_policies(stage: &Stage) {
    let rendered = objects(&kustomize("kustomize/cluster").unwrap());
    let is_policy = |kind: &str| kind.starts_with("ValidatingAdmissionPolicy");
    let policies = rendered
        .iter()
        .filter(|object| object["kind"].as_str().is_some_and(is_policy));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": policies.collect::<Vec<_>>()});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policies.json");
    fs::write(&file, list.to_string()).unwrap();
    let file = file.display().to_string();
    let apply = ["apply", "--server-side", "--filename", &file];
    stage.kubectl().run(&apply);
}

#[test]
fn policies_before_their_kinds_refuse_bound_pods_and_recover_when_the_kinds_come() {
    let stage = Stage::fresh("early");
    let prober = Prober::of(&stage);
    let (keeps, drops) = (json!({}), json!({"capabilities": {"drop": ["NET_RAW"]}}));
    apply_policies(&stage);
    // A bound pod is refused whatever it drops: nobody can say what its profile asks.
    let unknown = "failed to find resource referenced by paramKind";
    prober.until_refused(&pod("shop", &drops), unknown);
    prober.until_refused(&pod("shop", &keeps), unknown);
    prober.says("default", &pod("", &keeps)).unwrap();

    stage.install_kinds();
    prober.until_admitted(&pod("shop", &drops));
    stage.kubectl().apply(&json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
        "metadata": {"name": "shop", "namespace": "default"}, "spec": {"className": "standard"},
    }));
    prober.until_refused(&pod("shop", &keeps), "container app does not drop NET_RAW");
    prober.says("default", &pod("shop", &drops)).unwrap();
    prober.says("default", &pod("", &keeps)).unwrap();
}
