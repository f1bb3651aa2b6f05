//! The chart and the overlays render the same objects from the same facts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use podid_tests::manifests::{chart, kustomize, objects};
use serde_json::Value;

use crate::differences::{Differences, Way};
use crate::overlay::Overlay;
use crate::release::Release;

/// Equal facts for both: values of the chart, and what is added to an overlay of the base.
const PAIRS: &[(&str, &str)] = &[
    ("", ""),
    (
        "{operator: {settings: {forceNamespaced: true}}, nmi: {settings: {forceNamespaced: true}}}",
        "components: [KUSTOMIZE/components/namespaced]",
    ),
    (
        "{operator: {settings: {legacyIdentities: WithinClass}}, nmi: {settings: {legacyIdentities: WithinClass}}}",
        "components: [KUSTOMIZE/components/legacy-within-class]",
    ),
    (
        "{operator: {settings: {legacyIdentities: None}}, nmi: {settings: {legacyIdentities: None}}}",
        "components: [KUSTOMIZE/components/no-legacy-identities]",
    ),
    (
        "nmi: {settings: {actAsNode: true}}",
        "components: [KUSTOMIZE/components/act-as-node]",
    ),
    (
        "{operator: {settings: {legacyNetRaw: Enforce}}, nmi: {settings: {legacyNetRaw: Enforce}}}",
        "components: [KUSTOMIZE/components/legacy-net-raw]",
    ),
    (
        "{operator: {settings: {legacyNetRaw: Audit}}, nmi: {settings: {legacyNetRaw: Audit}}}",
        "components: [KUSTOMIZE/components/legacy-net-raw-audit]",
    ),
    (
        "policies: {netRaw: {addDrop: true}}",
        "components: [KUSTOMIZE/components/drop-net-raw]",
    ),
    (
        "bootUnit: {enabled: true}",
        "components: [KUSTOMIZE/components/boot-unit]",
    ),
    (
        "uninstall: {enabled: true}",
        "components: [KUSTOMIZE/components/uninstall]",
    ),
    (
        "prometheus: {serviceMonitor: {enabled: true}, rule: {enabled: true}, dashboard: {enabled: true}}",
        "components: [KUSTOMIZE/components/monitoring]",
    ),
    (
        "networkPolicy: {enabled: true}",
        "components: [KUSTOMIZE/components/network-policy]",
    ),
    (
        "{bootUnit: {enabled: true}, uninstall: {enabled: true}}",
        "components: [KUSTOMIZE/components/boot-unit, KUSTOMIZE/components/uninstall]",
    ),
];

/// Environments: each an overlay, and a values file of the chart.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];

/// The objects by kind, namespace and name.
fn keyed(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let mut keyed = BTreeMap::new();
    for object in objects {
        let metadata = &object["metadata"];
        let key = format!(
            "{} {}/{}",
            object["kind"], metadata["namespace"], metadata["name"]
        );
        let twice = keyed.insert(key.clone(), object);
        assert_eq!(twice, None, "{key} is there twice");
    }
    keyed
}

/// Every field that is not the same, a line each.
fn compare(path: &str, chart: Option<&Value>, kustomize: Option<&Value>, found: &mut Vec<String>) {
    match (chart, kustomize) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                compare(&format!("{path} {key}"), a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path} {index}"), Some(a), Some(b), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: the chart has {a:?}, the overlay {b:?}")),
    }
}

/// What both render from equal facts, under a title.
fn rendered() -> Vec<(String, Vec<Value>, Vec<Value>)> {
    let pairs = PAIRS.iter().map(|(values, overlay)| {
        let chart = Release::with(values).objects();
        (
            (*values).to_owned(),
            chart,
            Overlay::of_base(overlay).objects(),
        )
    });
    let environments = ENVIRONMENTS.iter().map(|name| {
        let values = chart().join(format!("ci/{name}-values.yaml"));
        let chart = Release::with(&fs::read_to_string(values).unwrap()).objects();
        let overlay = kustomize(&format!("kustomize/overlays/{name}")).unwrap();
        ((*name).to_owned(), chart, objects(&overlay))
    });
    pairs.chain(environments).collect()
}

#[test]
fn chart_and_overlay_render_the_same_objects() {
    let differences = Differences::read();
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for (title, mut chart, mut overlaid) in rendered() {
        differences.take(Way::Chart, &mut chart, &mut used);
        differences.take(Way::Kustomize, &mut overlaid, &mut used);
        let (chart, overlaid) = (keyed(chart), keyed(overlaid));
        assert!(chart.len() > 20, "{chart:?}");
        let keys: BTreeSet<&String> = chart.keys().chain(overlaid.keys()).collect();
        for key in keys {
            let path = format!("[{title}] {key}");
            compare(&path, chart.get(key), overlaid.get(key), &mut found);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(differences.unused(&used), Vec::<String>::new());
}
