//! `podid migrate values`.

use std::path::Path;

use podid::Exit;
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::{Ran, podid};

/// Every value of the old chart, none of them its default.
const OLD: &str = "\
image: {repository: mcr.microsoft.com/oss/azure/aad-pod-identity, imagePullPolicy: Always}
imagePullSecrets: [{name: pull}]
nameOverride: nn
fullnameOverride: f
forceNamespaced: \"true\"
installMICException: \"true\"
operationMode: managed
customUserAgent: me
adminsecret:
  cloud: AzureChinaCloud
  subscriptionID: s
  resourceGroup: g
  vmType: vmss
  tenantID: 11111111-2222-3333-4444-555555555555
  clientID: 21111111-2222-3333-4444-555555555555
  clientSecret: hunter2
  useMSI: true
  userAssignedMSIClientID: 31111111-2222-3333-4444-555555555555
mic:
  image: mic
  tag: v1.8.17
  replicas: 3
  resources: {limits: {cpu: 200m}}
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: CriticalAddonsOnly, operator: Exists}]
  affinity: {}
  topologySpreadConstraints: []
  podDisruptionBudget: {minAvailable: 1}
  priorityClassName: high
  podAnnotations: {a: b}
  podLabels: {c: d}
  logVerbosity: 6
  loggingFormat: json
  leaderElection: {instance: i, namespace: n, name: lock, duration: 15s}
  probePort: 8080
  prometheusPort: 8888
  syncRetryDuration: 1h
  createDeleteBatch: 20
  clientQps: 5
  updateUserMSIMaxRetry: 2
  updateUserMSIRetryInterval: 1s
  identityAssignmentReconcileInterval: 3m
  immutableUserMSIs: [41111111-2222-3333-4444-555555555555]
  cloudConfig: /etc/kubernetes/azure.json
  customCloud: {enabled: true, configPath: /x}
nmi:
  image: nmi
  tag: v1.8.17
  resources: {limits: {cpu: 200m}}
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{operator: Exists}]
  affinity: {}
  priorityClassName: higher
  podAnnotations: {a: b}
  podLabels: {c: d}
  logVerbosity: 0
  loggingFormat: text
  updateStrategy: {type: RollingUpdate}
  probePort: \"8085\"
  prometheusPort: 9090
  ipTableUpdateTimeIntervalInSeconds: 60
  micNamespace: x
  retryAttemptsForCreated: 16
  retryAttemptsForAssigned: 4
  findIdentityRetryIntervalInSeconds: 5
  blockInstanceMetadata: true
  enableScaleFeatures: true
  metadataHeaderRequired: true
  allowNetworkPluginKubenet: true
  kubeletConfig: /etc/default/kubelet
  setRetryAfterHeader: true
  enableConntrackDeletion: true
rbac: {enabled: true, allowAccessToSecrets: true, pspEnabled: true, createUserFacingClusterRoles: true}
azureIdentities:
  shop:
    namespace: shop
    type: 0
    resourceID: /subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop
    clientID: 51111111-2222-3333-4444-555555555555
    binding: {name: shop-binding, selector: shop}
  principal:
    type: 1
    clientID: 61111111-2222-3333-4444-555555555555
    tenantID: t
    clientPassword: '{\"name\": \"x\"}'
    binding: {name: p, selector: p}
";

fn migrate(text: &str, flags: &[&str]) -> Ran {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("old.yaml");
    std::fs::write(&file, text).unwrap();
    let mut ran = podid(&[&["migrate", "values", file.to_str().unwrap()], flags].concat());
    let shown = folder.path().display().to_string();
    ran.out = ran.out.replace(&shown, "DIR");
    ran.err = ran.err.replace(&shown, "DIR");
    ran
}

fn values(text: &str) -> Value {
    let ran = migrate(text, &["-o", "json"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn every_old_value_is_migrated_or_named_with_the_reason() {
    let ran = migrate(OLD, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(
        !ran.out.contains("hunter2"),
        "a secret is copied: {}",
        ran.out
    );
    insta::assert_snapshot!(ran.out);
    let read: Value = serde_saphyr::from_str(&ran.out).unwrap();
    assert_eq!(read, values(OLD)["values"]);
    assert!(
        !ran.out.contains("is no value of aad-pod-identity's chart"),
        "{}",
        ran.out
    );
}

#[test]
fn the_chart_knows_every_value_that_is_written() {
    let schema = Path::new("../charts/podid/values.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let migrated = values(OLD);
    assert!(
        migrated["values"].as_object().unwrap().len() > 8,
        "{migrated}"
    );
    known(&schema, &schema, &migrated["values"], "");
}

/// Every key of `value` is a property of the schema, and words of a list are among its words.
fn known(root: &Value, schema: &Value, value: &Value, path: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root
            .pointer(reference.trim_start_matches('#'))
            .expect("a definition"),
        None => schema,
    };
    if let Some(words) = schema["enum"].as_array() {
        assert!(
            words.contains(value),
            "{path}: {value} is none of {words:?}"
        );
    }
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object())
    else {
        return;
    };
    for (key, value) in fields {
        let path = format!("{path}.{key}");
        match properties.get(key) {
            Some(property) => known(root, property, value, &path),
            None => assert_ne!(schema["additionalProperties"], false, "{path} is unknown"),
        }
    }
}

#[test]
fn what_the_old_chart_does_not_know_is_named_with_its_line() {
    let migrated =
        values("# ours\nmic:\n  replica: 2\nextra: {a: 1}\nazureIdentities:\n  x: {typo: 1}\n");
    let notes = migrated["notes"].as_array().unwrap();
    let lines: Vec<(u64, &str)> = notes
        .iter()
        .map(|note| {
            (
                note["line"].as_u64().unwrap(),
                note["value"].as_str().unwrap(),
            )
        })
        .collect();
    let wanted = [
        (3, "mic.replica"),
        (4, "extra"),
        (6, "azureIdentities[\"x\"].typo"),
        (6, "azureIdentities[\"x\"]"),
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn defaults_say_nothing() {
    let old = "forceNamespaced: \"false\"\noperationMode: standard\nadminsecret: {}\nmic: {leaderElection: {}, \
               logVerbosity: 0, loggingFormat: \"\", priorityClassName: \"\", immutableUserMSIs: []}\nnmi:\n  \
               micNamespace: \"\"\n";
    let migrated = values(old);
    assert_eq!(migrated["notes"], serde_json::json!([]));
    assert_eq!(migrated["values"], serde_json::json!({}));
    assert_eq!(values("# nothing\n")["values"], serde_json::json!({}));
}

#[test]
fn what_is_no_values_file_is_refused() {
    for (text, words) in [
        ("a: [", "old.yaml:1 is not YAML"),
        ("a: 1\na: 2\n", "old.yaml:2 is not YAML"),
        (
            "mic:\n\treplicas: 2\n",
            "old.yaml:2 is not YAML; YAML is indented with spaces, and this line begins with a tab",
        ),
        (
            "- a\n",
            "holds 1 documents, and a values file is one mapping",
        ),
        ("a: 1\n---\nb: 2\n", "holds 2 documents"),
    ] {
        let ran = migrate(text, &[]);
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{text}");
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
}
