//! A class that asks something of the pods of all namespaces. No other test may run pods beside it.

use serde_json::{Value, json};

use super::prober::{Prober, pod};
use super::stage::Stage;

/// A class for all namespaces.
fn class() -> Value {
    let mut spec = crate::cases::class(json!({"limits": {"namespaces": {"names": ["*"]}}}));
    spec["neighbours"] = json!({"rule": "Enforce"});
    json!({
        "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityClass",
        "metadata": {"name": "everywhere"}, "spec": spec,
    })
}

#[test]
fn what_is_asked_of_all_namespaces_is_not_asked_of_the_system_and_of_podid() {
    let stage = Stage::enter();
    stage.install(&[]);
    let prober = Prober::of(&stage);
    stage.kubectl().apply(&class());
    let mut keeps = pod("", &json!({}));
    prober.until_refused(&keeps, "class everywhere");
    // As podid's node daemon and a network plugin are.
    keeps["spec"]["hostNetwork"] = json!(true);
    keeps["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    prober.until_refused(&keeps, "class everywhere");
    for namespace in ["kube-system", "podid-system"] {
        prober.says(namespace, &keeps).expect(namespace);
    }
    stage.uninstall();
    stage.delete_all();
}
