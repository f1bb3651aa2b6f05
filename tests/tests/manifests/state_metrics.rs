//! The settings of kube-state-metrics ask for fields that podid's kinds have.

use std::fs;

use podid_tests::programs::repository;
use serde_json::Value;

/// The schema of a kind of podid's.
fn schema(kind: &str) -> Value {
    let file = format!("crds/manifests/{}es.yaml", kind.to_lowercase());
    let file = file.replace("profilees", "profiles");
    let text = fs::read_to_string(repository().join(file)).unwrap();
    let definition: Value = serde_saphyr::from_str(&text).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Whether a path of kube-state-metrics leads to a field; `[type=Ready]` chooses an entry of a list.
fn leads_somewhere(schema: &Value, path: &[Value]) -> bool {
    let mut at = schema;
    for step in path.iter().filter_map(Value::as_str) {
        at = match step.strip_prefix('[') {
            Some(choice) => {
                let key = choice.split('=').next().unwrap();
                let entry = &at["items"];
                if entry["properties"][key].is_null() {
                    return false;
                }
                entry
            }
            // The schema of metadata is the API server's own.
            None if step == "metadata" => return path.len() == 2,
            None => &at["properties"][step],
        };
    }
    !at.is_null()
}

#[test]
fn kube_state_metrics_is_told_of_fields_that_exist() {
    let file = repository().join("docs/examples/monitoring/kube-state-metrics.yaml");
    let settings: Value = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let resources = settings["spec"]["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 2);
    for resource in resources {
        let group = &resource["groupVersionKind"];
        assert_eq!(
            (&group["group"], &group["version"]),
            (&"podid.dev".into(), &"v1alpha1".into())
        );
        let schema = schema(group["kind"].as_str().unwrap());
        for metric in resource["metrics"].as_array().unwrap() {
            let labels = metric["labelsFromPath"].as_object().unwrap();
            let own = metric["each"]["info"]["labelsFromPath"]
                .as_object()
                .unwrap();
            for (label, path) in labels.iter().chain(own) {
                assert!(
                    leads_somewhere(&schema, path.as_array().unwrap()),
                    "{label}: {path}"
                );
            }
        }
    }
    assert!(!leads_somewhere(
        &schema("PodIdentityProfile"),
        &["status".into(), "redy".into()]
    ));
}
