//! What the chart has against an uninstallation that would strand profiles.

use serde_json::{Value, json};

use crate::release::Release;
use crate::values::files;

/// The objects of the hook, with the policy of the network that a value adds.
fn hooks(objects: &[Value]) -> Vec<&Value> {
    let events = |object: &Value| object["metadata"]["annotations"]["helm.sh/hook"].clone();
    let hooks = objects
        .iter()
        .filter(|object| events(object) == "pre-delete");
    hooks.collect()
}

fn one<'a>(objects: &[&'a Value], kind: &str) -> &'a Value {
    let mut of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind.next().unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_hook_may_list_profiles_and_is_bound_to_an_account_of_its_own() {
    let objects = Release::with("networkPolicy: {enabled: true}").objects();
    let hooks = hooks(&objects);
    let role = one(&hooks, "ClusterRole");
    let rule = json!({"apiGroups": ["podid.dev"], "resources": ["podidentityprofiles"], "verbs": ["list"]});
    assert_eq!(role["rules"], json!([rule]));
    let binding = one(&hooks, "ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    let account = &one(&hooks, "ServiceAccount")["metadata"];
    let subject = json!([{
        "kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"],
    }]);
    assert_eq!(binding["subjects"], subject);
    let pod = &one(&hooks, "Job")["spec"]["template"];
    assert_eq!(pod["spec"]["serviceAccountName"], account["name"]);
    let selected = &one(&hooks, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"];
    let labels = &pod["metadata"]["labels"];
    let label = "app.kubernetes.io/name";
    assert_eq!(selected, &json!({label: labels[label]}));
    // Service, disruption budget and Deployment take pods with that label for replicas of the operator.
    assert_ne!(labels[label], "podid-operator");
    assert_eq!(hooks.len(), 5);
}

#[test]
fn the_job_runs_last_as_the_operator_does_and_stays_when_it_fails() {
    for file in files() {
        let values = std::fs::read_to_string(&file).unwrap();
        let objects = Release::with(&values).objects();
        let hooks = hooks(&objects);
        let job = one(&hooks, "Job");
        let weight = |object: &Value| {
            let annotations = &object["metadata"]["annotations"];
            annotations["helm.sh/hook-weight"]
                .as_str()
                .unwrap()
                .parse::<i32>()
                .unwrap()
        };
        for hook in &hooks {
            let deleted = &hook["metadata"]["annotations"]["helm.sh/hook-delete-policy"];
            assert_eq!(deleted, "before-hook-creation,hook-succeeded");
            assert!(
                hook["kind"] == "Job" || weight(hook) < weight(job),
                "{hook}"
            );
        }
        let objects: Vec<&Value> = objects.iter().collect();
        let operator = &one(&objects, "Deployment")["spec"]["template"]["spec"];
        let pod = &job["spec"]["template"]["spec"];
        for field in [
            "imagePullSecrets",
            "nodeSelector",
            "tolerations",
            "securityContext",
            "hostNetwork",
        ] {
            assert_eq!(pod[field], operator[field], "{}: {field}", file.display());
        }
        let (own, operator) = (&pod["containers"][0], &operator["containers"][0]);
        for field in ["image", "imagePullPolicy", "resources", "securityContext"] {
            assert_eq!(own[field], operator[field], "{}: {field}", file.display());
        }
        assert_eq!(own["args"], json!(["check-uninstall"]));
    }
}
