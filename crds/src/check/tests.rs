use serde_json::json;

use super::*;

const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n";

fn profile(spec: Value) -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": "checkout", "namespace": "payments"},
        "spec": spec,
    })
}

/// The fields found wrong.
fn fields(object: &Value) -> Vec<String> {
    super::object(object)
        .unwrap()
        .into_iter()
        .map(|finding| finding.field)
        .collect()
}

#[test]
fn a_small_and_a_full_profile_pass() {
    let full = json!({
        "className": "standard",
        "identity": {"name": "checkout-id", "tags": {"team": "shop"}, "deletionPolicy": "Retain"},
        "access": [
            {"role": "Reader", "scope": "/subscriptions/s"}, {"role": "Reader", "scope": "payments-vault"},
        ],
        "binding": {"selector": "Check.Out", "serviceAccounts": ["app"]},
        "backend": "NodeAssigned", "netRaw": "Audit", "drift": "Observe",
        "interval": "1h30m", "suspend": true,
    });
    for spec in [json!({"className": "standard", "identity": null}), full] {
        assert_eq!(object(&profile(spec.clone())).unwrap(), [], "{spec}");
    }
}

#[test]
fn structure_is_checked_with_paths() {
    let table = [
        (json!({}), "spec.className"),
        (json!({"className": ""}), "spec.className"),
        (json!({"className": 7}), "spec.className"),
        (json!({"className": "c", "acess": []}), "spec.acess"),
        (json!({"className": "c", "netRaw": false}), "spec.netRaw"),
        (json!({"className": "c", "netRaw": "off"}), "spec.netRaw"),
        (
            json!({"className": "c", "access": [{"role": "Reader"}]}),
            "spec.access[0].scope",
        ),
        (
            json!({"className": "c", "binding": {"serviceAccounts": ["a", "a"]}}),
            "spec.binding.serviceAccounts[1]",
        ),
    ];
    for (spec, field) in table {
        assert_eq!(fields(&profile(spec.clone())), [field], "{spec}");
    }
    let rule = json!({"role": "Reader", "scope": "/subscriptions/s"});
    let twice = profile(json!({"className": "c", "access": [rule, rule]}));
    assert_eq!(fields(&twice), ["spec.access[1]"]);
}

#[test]
fn an_unknown_field_is_told_the_known_one_that_was_probably_meant() {
    let message = |spec: Value| {
        let findings = object(&profile(spec)).unwrap();
        findings[0].to_string()
    };
    assert_eq!(
        message(json!({"className": "c", "binding": {"selektor": "web"}})),
        "spec.binding.selektor: unknown field, on which Flux and `kubectl apply` fail; did you mean \
         selector?"
    );
    assert_eq!(
        message(json!({"className": "c", "replicas": 1})),
        "spec.replicas: unknown field, on which Flux and `kubectl apply` fail"
    );
}

#[test]
fn rules_are_run() {
    let table = [
        (json!({"className": "c", "interval": "30s"}), "interval"),
        (json!({"className": "c", "interval": "soon"}), "interval"),
        (
            json!({"className": "c", "access": [{"role": "Reader", "scope": "Rg"}]}),
            "scope",
        ),
        (
            json!({"className": "c", "binding": {"selector": "-x"}}),
            "selector",
        ),
        (
            json!({"className": "c", "identity": {"tags": {"podid-uid": "x"}}}),
            "tags",
        ),
        (
            json!({"className": "c", "identity": {"resourceId": "/subscriptions/s"}}),
            "resourceId",
        ),
        (
            json!({"className": "c", "identity": {"resourceId": RESOURCE, "name": "abc"}}),
            "spec",
        ),
    ];
    for (spec, field) in table {
        let found = fields(&profile(spec.clone()));
        assert!(
            found.len() == 1 && found[0].ends_with(field),
            "{spec}: {found:?}"
        );
    }
}

#[test]
fn names_and_kinds_are_checked() {
    let mut object = profile(json!({"className": "c"}));
    object["metadata"] = json!({"name": "Check_out", "namespace": "a.b"});
    assert_eq!(fields(&object), ["metadata.name", "metadata.namespace"]);
    object["metadata"] = json!({});
    assert_eq!(fields(&object), ["metadata.name"]);
    object["kind"] = json!("Pod");
    assert_eq!(fields(&object), ["kind"]);
}

#[test]
fn no_document_is_a_panic() {
    for odd in [
        json!(null),
        json!([]),
        json!("x"),
        profile(json!([])),
        profile(json!(null)),
    ] {
        assert!(!object(&odd).unwrap().is_empty(), "{odd}");
    }
}
