//! A release from its installation to its removal.

use std::fs;
use std::path::Path;
use std::process::Command;

use podid_tests::manifests::chart;
use serde_json::{Value, json};

use super::prober::{Prober, adding_net_raw, pod};
use super::stage::{Stage, adds_the_drop};

const KINDS: [&str; 6] = [
    "azureassignedidentities.aadpodidentity.k8s.io",
    "azureidentities.aadpodidentity.k8s.io",
    "azureidentitybindings.aadpodidentity.k8s.io",
    "azurepodidentityexceptions.aadpodidentity.k8s.io",
    "podidentityclasses.podid.dev",
    "podidentityprofiles.podid.dev",
];

/// A class and a profile of it, as values.
fn class_and_profile(folder: &Path) -> String {
    let values = json!({
        "classes": [{"name": "standard", "spec": crate::cases::class(json!({}))}],
        "profiles": [{"name": "checkout", "namespace": "default", "spec": {"className": "standard"}}],
    });
    let file = folder.join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    format!("--values={}", file.display())
}

/// The kinds, as `kubectl` names what is left.
pub(super) fn kinds() -> Vec<String> {
    let kinds = KINDS.map(|kind| format!("customresourcedefinition.apiextensions.k8s.io/{kind}"));
    kinds.to_vec()
}

/// A copy of the chart that says it is of an earlier version.
fn earlier(folder: &Path) -> std::path::PathBuf {
    let copy = folder.join("podid");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(chart())
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    let file = copy.join("Chart.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let text = text.replace(&format!("ersion: {version}"), "ersion: 0.0.1");
    assert_eq!(text.matches("ersion: 0.0.1").count(), 2);
    fs::write(&file, text).unwrap();
    copy
}

#[test]
fn a_release_with_its_class_installs_at_once_and_leaves_nothing_but_kinds() {
    let stage = Stage::fresh("class");
    let folder = tempfile::tempdir().unwrap();
    stage.install(&[&class_and_profile(folder.path())]);
    let kubectl = stage.kubectl();
    let class = kubectl.json(&["get", "podidentityclass/standard"]);
    assert_eq!(
        class["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "Helm"
    );
    let profile = kubectl.json(&["get", "podidentityprofile/checkout"]);
    assert_eq!(profile["spec"]["className"], "standard");
    stage.uninstall();
    stage.until_left(&kinds());
    let profiles = kubectl.json(&["get", "podidentityprofiles", "--all-namespaces"]);
    assert_eq!(profiles["items"], json!([]));
}

#[test]
fn a_release_adds_the_drop_by_itself_unless_a_value_forbids_it() {
    let stage = Stage::enter();
    let folder = tempfile::tempdir().unwrap();
    let class = class_and_profile(folder.path());
    stage.install(&[&class]);
    let prober = Prober::of(&stage);
    let keeps = pod("checkout", &json!({}));
    prober.until_refused(&adding_net_raw(), "adds NET_RAW");
    if adds_the_drop() {
        prober.until_admitted(&keeps);
    }
    stage.install(&[&class, "--set=policies.netRaw.addDrop=false"]);
    prober.until_refused(&keeps, "container app does not drop NET_RAW");
    stage.uninstall();
    stage.delete_all();
}

#[test]
fn kinds_of_the_release_outlive_it_with_their_objects() {
    let stage = Stage::fresh("kinds");
    stage.install(&["--skip-crds", "--set=crds.install=true"]);
    let kubectl = stage.kubectl();
    stage.until_kinds_are_established();
    kubectl.apply(&json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": "kept", "namespace": "default"},
        "spec": {"className": "standard"},
    }));
    stage.uninstall();
    stage.until_left(&kinds());
    kubectl.run(&["get", "podidentityprofile/kept"]);
}

/// What Helm may change of an object without replacing its pods.
fn pods(stage: &Stage, workload: &str) -> Value {
    let object = ["--namespace=podid-system", "get", workload];
    stage.kubectl().json(&object)["spec"]["template"].clone()
}

#[test]
fn an_upgrade_and_its_way_back_replace_only_what_changed() {
    let stage = Stage::enter();
    let folder = tempfile::tempdir().unwrap();
    let before = earlier(folder.path());
    let class = class_and_profile(folder.path());
    stage.release(&before, &[&class]).unwrap();
    let daemons = pods(&stage, "daemonset/podid-nmi");
    let operators = pods(&stage, "deployment/podid-operator");
    stage.install(&[&class, "--set=operator.settings.interval=5m"]);
    let later = pods(&stage, "deployment/podid-operator");
    let annotation = "podid.dev/settings-checksum";
    assert_ne!(
        later["metadata"]["annotations"][annotation],
        operators["metadata"]["annotations"][annotation]
    );
    // Its image is of the later version; but for that, nothing of it has changed.
    let mut same = pods(&stage, "daemonset/podid-nmi");
    let image = &mut same["spec"]["containers"][0]["image"];
    assert_eq!(
        *image,
        format!("podid.dev/podid-nmi:{}", env!("CARGO_PKG_VERSION"))
    );
    *image = json!("podid.dev/podid-nmi:0.0.1");
    assert_eq!(same, daemons);
    stage
        .helm(&["rollback", "podid", "1", "--namespace=podid-system"])
        .unwrap();
    assert_eq!(pods(&stage, "daemonset/podid-nmi"), daemons);
    assert_eq!(pods(&stage, "deployment/podid-operator"), operators);
    stage.kubectl().run(&["get", "podidentityclass/standard"]);
    stage.uninstall();
}

#[test]
fn a_release_takes_over_what_kustomize_has_installed() {
    let stage = Stage::enter();
    let base = podid_tests::programs::repository().join("kustomize/base");
    let base = base.display().to_string();
    let kubectl = stage.kubectl();
    stage.install_kinds();
    kubectl.run(&["apply", "--server-side", "--kustomize", &base]);
    let of = |object: &str| {
        let get = ["--namespace=podid-system", "get", object];
        kubectl.json(&get)["metadata"]["uid"].clone()
    };
    let before = (of("daemonset/podid-nmi"), of("deployment/podid-operator"));
    stage.install(&["--take-ownership", "--force-conflicts"]);
    assert_eq!(
        before,
        (of("daemonset/podid-nmi"), of("deployment/podid-operator"))
    );
    stage.uninstall();
    // kustomize's ConfigMaps have other names than the release's, and stay.
    stage.delete_all();
    stage.until_left(&kinds());
}

/// Text of a kind as a version of the chart has it.
fn described(stage: &Stage) -> String {
    let kind = stage
        .kubectl()
        .json(&["get", "crd", "podidentityprofiles.podid.dev"]);
    let annotations = &kind["metadata"]["annotations"]["podid.dev/tested-version"];
    annotations.as_str().unwrap_or_default().to_owned()
}

#[test]
fn kinds_of_the_release_are_upgraded_with_it_and_go_back() {
    let stage = Stage::fresh("kinds-upgrade");
    let folder = tempfile::tempdir().unwrap();
    let before = earlier(folder.path());
    let kinds = ["--skip-crds", "--set=crds.install=true"];
    let of_version =
        |version: &str| format!("--set=crds.annotations.podid\\.dev/tested-version={version}");
    stage
        .release(&before, &[&kinds[..], &[&of_version("earlier")]].concat())
        .unwrap();
    stage.until_kinds_are_established();
    assert_eq!(described(&stage), "earlier");
    stage.install(&[&kinds[..], &[&of_version("later")]].concat());
    assert_eq!(described(&stage), "later");
    stage
        .helm(&["rollback", "podid", "1", "--namespace=podid-system"])
        .unwrap();
    assert_eq!(described(&stage), "earlier");
}
