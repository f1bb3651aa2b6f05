//! Values of the chart: which are taken, which are refused, and that each of them changes something.

use std::fs;
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use podid_tests::manifests::{chart, run_helm};
use podid_tests::programs::repository;
use serde_json::Value;

use crate::release::Release;

/// Settings that the chart takes from the pod.
const OF_THE_POD: [&str; 3] = ["PODID_REPLICA", "PODID_NAMESPACE", "PODID_NODE_NAME"];

/// Values that are refused, and a word of the complaint: it must name the value.
const REFUSED: &[(&str, &str)] = &[
    ("replicas: 2", "replicas"),
    ("operator: {replica: 2}", "replica"),
    ("operator: {replicaCount: 0}", "replicaCount"),
    ("operator: {replicaCount: two}", "replicaCount"),
    ("operator: {settings: {tenant: t}}", "tenant"),
    (
        "operator: {settings: {PODID_TENANT_ID: t}}",
        "PODID_TENANT_ID",
    ),
    ("operator: {settings: {credential: password}}", "credential"),
    ("operator: {settings: {adminAddr: 0.0.0.0}}", "adminAddr"),
    ("operator: {settings: {interval: [1]}}", "interval"),
    ("operator: {settings: {tenantId: ''}}", "tenantId"),
    ("operator: {settings: {clientId: null}}", "clientId"),
    ("operator: {image: {digest: 'sha256:1'}}", "digest"),
    ("operator: {image: {tag: 'a b'}}", "tag"),
    ("operator: {image: {name: x}}", "name"),
    ("operator: {livenessProbe: {httpGet: {port: 1}}}", "httpGet"),
    (
        "operator: {readinessProbe: {periodSeconds: 0}}",
        "periodSeconds",
    ),
    ("operator: {extraEnv: {A: b}}", "extraEnv"),
    ("operator: {serviceAccount: {name: A_B}}", "name"),
    ("nmi: {settings: {interval: 1m}}", "interval"),
    ("nmi: {settings: {actAsNode: 'yes'}}", "actAsNode"),
    ("nmi: {hostNetwork: false}", "hostNetwork"),
    ("nmi: {podLabels: {a: 1}}", "podLabels"),
    ("image: {digest: 'sha256:1'}", "digest"),
    ("image: {pullPolicy: Sometimes}", "pullPolicy"),
    ("imagePullSecrets: [registry]", "imagePullSecrets"),
    ("commonLabels: {a: true}", "commonLabels"),
    ("bootUnit: true", "bootUnit"),
    ("crds: {enabled: true}", "enabled"),
    ("crds: {install: 'yes'}", "install"),
    (
        "{crds: {install: true}, classes: [{name: c, spec: {}}]}",
        "crds.install",
    ),
    ("policies: {netRaw: Audit}", "netRaw"),
    (
        "operator: {settings: {legacyIdentities: Some}}",
        "legacyIdentities",
    ),
    (
        "nmi: {settings: {legacyIdentities: None}}",
        "must be the same",
    ),
    ("operator: {settings: {legacyNetRaw: Off}}", "legacyNetRaw"),
    (
        "operator: {settings: {legacyNetRaw: Audit}}",
        "must be the same",
    ),
    ("policies: {classLimits: {action: Audit}}", "action"),
    ("rbac: {aggregateToAdmin: true}", "aggregateToAdmin"),
    ("classes: [{spec: {}}]", "name"),
    ("classes: [{name: c, specs: {}}]", "specs"),
    ("classes: {c: {spec: {}}}", "classes"),
    ("profiles: [{name: p, spec: {}}]", "namespace"),
    ("prometheus: {podMonitor: {enabled: true}}", "adminAddr"),
    ("podDisruptionBudget: {maxUnavailable: 1}", "minAvailable"),
    ("podDisruptionBudget: {minAvailable: ''}", "minAvailable"),
    ("networkPolicy: {egress: {}}", "egress"),
];

/// The values files of the chart, as `ct` finds them.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(chart().join("ci"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    files
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (values, named) in REFUSED {
        let complaint = Release::with(values).render(&[]).expect_err(values);
        assert!(complaint.contains(named), "{values}: {complaint}");
    }
}

#[test]
fn values_of_a_parent_chart_are_taken() {
    Release::with("global: {imageRegistry: x}")
        .render(&[])
        .unwrap();
}

/// A flag as the chart calls its setting.
fn camel_case(flag: &str) -> String {
    let mut words = flag.split('-');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_uppercase() + rest
    })
}

fn assert_settings(component: &str, command: &Command) {
    let schema: Value =
        serde_json::from_slice(&fs::read(chart().join("values.schema.json")).unwrap()).unwrap();
    let pointer = format!("/properties/{component}/properties/settings/properties");
    let taken = schema.pointer(&pointer).unwrap().as_object().unwrap();
    let mut known = Vec::new();
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env().and_then(|name| name.to_str()) else {
            continue;
        };
        if OF_THE_POD.contains(&variable) {
            continue;
        }
        let flag = argument.get_long().unwrap();
        // The chart makes the variable's name from the setting's.
        let expected = format!("PODID_{}", flag.replace('-', "_").to_uppercase());
        assert_eq!(variable, expected);
        known.push(camel_case(flag));
    }
    let mut taken: Vec<&String> = taken.keys().collect();
    taken.sort_unstable();
    known.sort_unstable();
    assert!(taken.into_iter().eq(known.iter()), "{component}: {known:?}");
}

#[test]
fn the_schema_takes_every_setting_of_the_daemons_and_no_other() {
    assert_settings("operator", &podid_operator::args::Args::command());
    let daemon = podid_nmi::args::Args::command();
    assert_settings("nmi", daemon.find_subcommand("run").unwrap());
}

/// The values that README.md describes, as JSON pointers.
fn described() -> Vec<String> {
    let page = fs::read_to_string(chart().join("README.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let paths = rows.map(|row| row.split('`').next().unwrap());
    paths
        .map(|path| format!("/{}", path.replace('.', "/")))
        .collect()
}

/// The values without the one at a pointer; `None` where there is none.
fn without(values: &Value, pointer: &str) -> Option<Value> {
    let mut values = values.clone();
    let (map, key) = pointer.rsplit_once('/').unwrap();
    values.pointer_mut(map)?.as_object_mut()?.remove(key)?;
    Some(values)
}

/// What helm makes of these values and no others.
fn rendered(values: &Value) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let chart = chart().display().to_string();
    let file = file.display().to_string();
    run_helm(&["template", "podid", &chart, "--values", &file])
}

#[test]
fn every_value_changes_what_is_rendered() {
    let mut idle = described();
    assert!(idle.len() > 100, "{idle:?}");
    for file in files() {
        let values: Value = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let all = rendered(&values).unwrap();
        idle.retain(|pointer| match without(&values, pointer) {
            Some(others) => rendered(&others).is_ok_and(|others| others == all),
            None => true,
        });
    }
    assert_eq!(
        idle,
        Vec::<String>::new(),
        "no file in ci/ gives these an effect"
    );
}

#[test]
fn the_example_for_flux_gives_values_that_the_chart_takes() {
    let file = repository().join("flux/clusters/example/podid/infrastructure/release.yaml");
    let release: Value = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let values = &release["spec"]["values"];
    let tenant = values["operator"]["settings"]["tenantId"].as_str().unwrap();
    assert!(rendered(values).unwrap().contains(tenant));
}

#[test]
fn policies_and_rights_follow_the_names_of_the_release() {
    let values = "{fullnameOverride: ids, namespaceOverride: id-system, \
                  operator: {serviceAccount: {name: op}}, nmi: {serviceAccount: {name: daemon}}}";
    let objects = Release::with(values).objects();
    let named = |kind: &str, name: &str| {
        let mut all = objects.iter().filter(|object| object["kind"] == kind);
        let found = all.find(|object| object["metadata"]["name"] == *name);
        found.unwrap_or_else(|| panic!("no {kind} {name}")).clone()
    };
    for policy in ["assigned-identities", "assignment-records", "node-taints"] {
        let policy = named("ValidatingAdmissionPolicy", &format!("podid-{policy}"));
        let spec = policy["spec"].to_string();
        assert!(
            spec.contains("'system:serviceaccount:id-system:op'"),
            "{spec}"
        );
        assert!(!spec.contains("podid-system"), "{spec}");
    }
    for (binding, account) in [("ids-operator", "op"), ("ids-nmi", "daemon")] {
        let binding = named("ClusterRoleBinding", binding);
        let subject = &binding["subjects"][0];
        assert_eq!(subject["name"], account);
        assert_eq!(subject["namespace"], "id-system");
        named("ClusterRole", binding["roleRef"]["name"].as_str().unwrap());
        named("ServiceAccount", account);
    }
    // The operator looks for the daemons by this label.
    let daemons = named("DaemonSet", "ids-nmi");
    let labels = &daemons["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/name"], "podid-nmi");
}

#[test]
fn the_drop_is_added_where_the_api_server_knows_how_unless_a_value_says_otherwise() {
    let known = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";
    let of = |values: &str, arguments: &[&str]| Release::with(values).render(arguments).unwrap();
    let newer = ["--api-versions", known];
    let [by_itself, on, off] = ["null", "true", "false"]
        .map(|value| format!("policies: {{netRaw: {{addDrop: {value}}}}}"));
    assert_eq!(of("", &newer), of(&on, &[]));
    assert_eq!(of(&by_itself, &newer), of(&on, &newer));
    assert_eq!(of("", &[]), of(&off, &newer));
    assert!(of(&on, &[]).contains("kind: MutatingAdmissionPolicy\n"));
    assert!(!of(&off, &newer).contains("kind: MutatingAdmissionPolicy\n"));
    let without_the_rule = "policies: {netRaw: {enabled: false}}";
    assert_eq!(of(without_the_rule, &newer), of(without_the_rule, &[]));
}
