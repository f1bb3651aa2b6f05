//! What the operator takes for the policies of its own version is what the manifests install.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use podid_core::binding::LegacyIdentities;
use podid_core::net_raw::NetRaw;
use podid_core::policy;
use podid_crds::policy_digest;
use podid_tests::manifests::objects;
use serde_json::Value;
use uuid::Uuid;

use crate::overlay::Overlay;
use crate::release::Release;

/// Digests of the policies among the objects, by name.
fn digests(objects: Vec<Value>, namespace: &str) -> BTreeMap<String, Uuid> {
    let policies = objects
        .into_iter()
        .filter(|object| object["kind"] == "ValidatingAdmissionPolicy");
    let digest = |object: Value| {
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(object).unwrap();
        (
            policy.metadata.name.unwrap(),
            policy_digest(&policy.spec.unwrap(), namespace),
        )
    };
    policies.map(digest).collect()
}

/// Digests of those that an operator with these settings looks for.
fn wanted(legacy: LegacyIdentities, net_raw: NetRaw) -> BTreeMap<String, Uuid> {
    let wanted = policy::wanted(legacy, net_raw);
    wanted
        .into_iter()
        .map(|policy| (policy.name.to_owned(), policy.says))
        .collect()
}

#[test]
fn the_operator_knows_what_each_policy_says() {
    let mut other = Vec::new();
    for (component, legacy, net_raw) in [
        ("", LegacyIdentities::Any, NetRaw::Ignore),
        ("drop-net-raw", LegacyIdentities::Any, NetRaw::Ignore),
        (
            "legacy-within-class",
            LegacyIdentities::WithinClass,
            NetRaw::Ignore,
        ),
        (
            "no-legacy-identities",
            LegacyIdentities::None,
            NetRaw::Ignore,
        ),
        ("legacy-net-raw", LegacyIdentities::Any, NetRaw::Enforce),
        ("legacy-net-raw-audit", LegacyIdentities::Any, NetRaw::Audit),
    ] {
        let line = match component {
            "" => String::new(),
            component => format!("components: [KUSTOMIZE/components/{component}]"),
        };
        let (wanted, mut installed) = (
            wanted(legacy, net_raw),
            digests(Overlay::of_base(&line).objects(), "podid-system"),
        );
        assert_eq!(wanted.len(), installed.len(), "{component}: {installed:?}");
        installed.retain(|name, says| wanted.get(name) != Some(says));
        other.extend(
            installed
                .into_iter()
                .map(|(name, says)| format!("{component} {name} {says}")),
        );
    }
    assert!(
        other.is_empty(),
        "write these digests into core/src/policy/shipped.rs:\n{}",
        other.join("\n")
    );
}

#[test]
fn a_chart_in_another_namespace_with_other_accounts_says_the_same() {
    let accounts =
        "{operator: {serviceAccount: {name: pods}}, nmi: {serviceAccount: {name: nodes}}}";
    // Kubernetes' own namespace is one that the policies name besides.
    for namespace in ["identity", "kube-system"] {
        let place = format!("--namespace={namespace}");
        let chart = Release::with(accounts).render(&[&place]).unwrap();
        let account = format!("'system:serviceaccount:{namespace}:pods'");
        assert!(chart.contains(&account), "{chart}");
        let installed = digests(objects(&chart), namespace);
        assert_eq!(
            wanted(LegacyIdentities::Any, NetRaw::Ignore),
            installed,
            "{namespace}"
        );
    }
}
