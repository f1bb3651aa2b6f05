//! The digest by which it is known that a policy of the cluster says what podid's manifests have it say.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicySpec,
};
use serde_json::Value;
use uuid::Uuid;

/// Of our own digests; a random number.
const NAMESPACE: Uuid = Uuid::from_u128(0x3b0e_95c7_61d2_4f7a_8a4d_0c5f_e217_b6a9);

/// A variable that the component `drop-net-raw` changes, and that decides about warnings only.
const SWITCH: &str = "dropIsAdded";

/// Service accounts of Kubernetes, in `kube-system`, that policies name.
const KUBERNETES_OWN: [&str; 1] = ["generic-garbage-collector"];

/// Digest of what a policy says; the same for the object of a manifest, for the one that an API server fills in with
/// defaults, and for podid in another namespace. `namespace` is podid's own; service accounts of it are not told apart,
/// because the chart lets them be named.
#[must_use]
pub fn policy_digest(spec: &ValidatingAdmissionPolicySpec, namespace: &str) -> Uuid {
    let mut spec = spec.clone();
    spec.failure_policy.get_or_insert_with(|| "Fail".into());
    let constraints = spec.match_constraints.get_or_insert_default();
    fill_in(constraints);
    anonymize(constraints, namespace);
    for variable in spec.variables.iter_mut().flatten() {
        if variable.name == SWITCH {
            variable.expression.clear();
        }
    }
    // Nothing of this type cannot be written.
    let mut value = serde_json::to_value(spec).unwrap_or(Value::Null);
    value.sort_all_objects();
    let text = without_accounts(&value.to_string(), namespace);
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// What an API server fills in.
fn fill_in(constraints: &mut MatchResources) {
    constraints
        .match_policy
        .get_or_insert_with(|| "Equivalent".into());
    constraints.namespace_selector.get_or_insert_default();
    constraints.object_selector.get_or_insert_default();
    let rules = constraints.resource_rules.iter_mut().flatten();
    let excluded = constraints.exclude_resource_rules.iter_mut().flatten();
    for rule in rules.chain(excluded) {
        let rule: &mut NamedRuleWithOperations = rule;
        rule.scope.get_or_insert_with(|| "*".into());
    }
}

/// Podid's namespace is the last that a policy names: it may be `kube-system`, which they name as well.
fn anonymize(constraints: &mut MatchResources, namespace: &str) {
    let selector = constraints.namespace_selector.iter_mut();
    let asked = selector.filter_map(|selector| selector.match_expressions.as_mut());
    for values in asked.flatten().filter_map(|asked| asked.values.as_mut()) {
        let own = values.iter_mut().rfind(|value| *value == namespace);
        if let Some(own) = own {
            own.clear();
        }
    }
}

/// The text without the names of service accounts of this namespace, each of which ends in front of a quote.
fn without_accounts(text: &str, namespace: &str) -> String {
    let start = format!("'system:serviceaccount:{namespace}:");
    let mut parts = text.split(&start);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| match part.split_once('\'') {
        Some((name, rest)) if !KUBERNETES_OWN.contains(&name) => {
            format!("{before}'own account'{rest}")
        }
        _ => format!("{before}{start}{part}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(spec: Value, namespace: &str) -> Uuid {
        let spec = serde_json::from_value(spec).expect("a spec");
        policy_digest(&spec, namespace)
    }

    fn rule(namespace: &str, account: &str) -> Value {
        json!({
            "matchConstraints": {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "k", "operator": "NotIn", "values": ["kube-system", namespace]}],
                },
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            },
            "matchConditions": [{
                "name": "mine",
                "expression": format!("request.userInfo.username == 'system:serviceaccount:{namespace}:{account}'"),
            }],
            "variables": [{"name": "dropIsAdded", "expression": "false"}],
            "validations": [{"expression": "object.spec.hostNetwork == false"}],
        })
    }

    #[test]
    fn defaults_and_where_podid_runs_make_no_difference() {
        let written = digest(rule("podid-system", "podid-operator"), "podid-system");
        let mut kept = rule("pods", "op");
        kept["failurePolicy"] = json!("Fail");
        kept["matchConstraints"]["matchPolicy"] = json!("Equivalent");
        kept["matchConstraints"]["objectSelector"] = json!({});
        kept["matchConstraints"]["resourceRules"][0]["scope"] = json!("*");
        kept["variables"][0]["expression"] = json!("true");
        assert_eq!(digest(kept, "pods"), written);
    }

    #[test]
    fn what_weakens_a_policy_makes_a_difference() {
        let whole = rule("podid-system", "podid-operator");
        let written = digest(whole.clone(), "podid-system");
        for (place, weaker) in [
            ("/validations/0/expression", json!("true")),
            ("/validations", json!([])),
            (
                "/matchConstraints/resourceRules/0/operations/0",
                json!("DELETE"),
            ),
            (
                "/matchConstraints/namespaceSelector/matchExpressions/0/values/1",
                json!("payments"),
            ),
            (
                "/matchConditions/0/expression",
                json!("request.userInfo.username == 'system:serviceaccount:payments:a'"),
            ),
            ("/matchConditions/0/expression", json!("false")),
        ] {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).expect("a place") = weaker;
            assert_ne!(digest(changed, "podid-system"), written, "{place}");
        }
        for (field, weaker) in [
            ("failurePolicy", json!("Ignore")),
            (
                "paramKind",
                json!({"apiVersion": "v1", "kind": "ConfigMap"}),
            ),
        ] {
            let mut changed = whole.clone();
            changed[field] = weaker;
            assert_ne!(digest(changed, "podid-system"), written, "{field}");
        }
        let mut excluding = whole.clone();
        excluding["matchConstraints"]["objectSelector"] = json!({"matchLabels": {"a": "b"}});
        assert_ne!(digest(excluding, "podid-system"), written);
    }
}
