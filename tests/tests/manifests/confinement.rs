//! What podid's own containers may do on their node: no more than is said here.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::overlay::Overlay;

/// Each container of the manifests, with the capabilities that it has.
const CONTAINERS: &[(&str, &[&str])] = &[
    // It writes files of the node, which belong to root, as root.
    ("DaemonSet podid-nmi boot-unit", &[]),
    (
        "DaemonSet podid-nmi nmi",
        &["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"],
    ),
    ("Deployment podid-operator operator", &[]),
];

/// With the components that bring a container or a policy of the network.
fn rendered() -> Vec<Value> {
    let components = ["boot-unit", "network-policy"];
    let lines = components.map(|name| format!("- KUSTOMIZE/components/{name}"));
    Overlay::of_base(&format!("components:\n{}", lines.join("\n"))).objects()
}

/// Each container with its pod's spec, by kind, name and container.
fn containers(objects: &[Value]) -> BTreeMap<String, (&Value, &Value)> {
    let mut found = BTreeMap::new();
    for object in objects {
        let pod = &object["spec"]["template"]["spec"];
        let lists = ["initContainers", "containers"].map(|list| pod[list].as_array());
        for container in lists.into_iter().flatten().flatten() {
            let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let key = [
                &object["kind"],
                &object["metadata"]["name"],
                &container["name"],
            ]
            .map(of);
            found.insert(key.join(" "), (pod, container));
        }
    }
    found
}

#[test]
fn each_container_has_the_capabilities_it_needs_a_filter_of_calls_and_a_root_that_it_cannot_write()
{
    let objects = rendered();
    let found = containers(&objects);
    let mut capabilities = BTreeMap::new();
    for (key, (pod, container)) in &found {
        let own = &container["securityContext"];
        assert_eq!(own["readOnlyRootFilesystem"], true, "{key}");
        assert_eq!(own["allowPrivilegeEscalation"], false, "{key}");
        assert_ne!(own["privileged"], true, "{key}");
        assert_eq!(
            own["capabilities"]["drop"],
            serde_json::json!(["ALL"]),
            "{key}"
        );
        let filters =
            [own, &pod["securityContext"]].map(|context| &context["seccompProfile"]["type"]);
        assert!(
            filters.iter().any(|filter| *filter == "RuntimeDefault"),
            "{key}: {filters:?}"
        );
        let added = own["capabilities"]["add"].as_array().into_iter().flatten();
        let added: Vec<&str> = added.filter_map(Value::as_str).collect();
        capabilities.insert(key.as_str(), added);
    }
    let expected = CONTAINERS.iter().map(|(key, added)| (*key, added.to_vec()));
    assert_eq!(capabilities, expected.collect());
}

/// A NetworkPolicy that selects no pod holds nobody.
#[test]
fn the_network_policy_is_about_the_operator() {
    let objects = rendered();
    let of_kind = |kind: &str| {
        objects
            .iter()
            .find(|object| object["kind"] == kind)
            .unwrap()
    };
    let selected = &of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"];
    let selected = selected.as_object().unwrap();
    let labels = &of_kind("Deployment")["spec"]["template"]["metadata"]["labels"];
    assert!(!selected.is_empty());
    for (key, value) in selected {
        assert_eq!(labels[key], *value, "{key}");
    }
    let namespace = |kind: &str| &of_kind(kind)["metadata"]["namespace"];
    assert_eq!(namespace("NetworkPolicy"), namespace("Deployment"));
}
