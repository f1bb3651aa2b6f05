//! What `flux/` and the bootstrap give to the chart, to `kustomize/base` and to `podid plan`.

use std::fs;
use std::path::Path;
use std::process::Command;

use podid_tests::fleet::{GUID, add_profile, bootstrapped, checked_out, pushed};
use podid_tests::manifests::{chart, objects, run_helm, toolset};
use podid_tests::programs::repository;
use serde_json::{Value, json};

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// All objects of a kind.
fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = objects.iter().filter(|object| object["kind"] == kind);
    found.collect()
}

/// The settings of the operator, whatever hash the name of their ConfigMap ends with.
fn settings(objects: &[Value]) -> &Value {
    let maps = of_kind(objects, "ConfigMap").into_iter();
    let mut of_operator = maps.filter(|map| map["data"]["PODID_LEASE"].is_string());
    &of_operator.next().unwrap()["data"]
}

/// The images of the workloads' containers.
fn images(objects: &[Value]) -> Vec<String> {
    let kinds = ["Deployment", "DaemonSet"].into_iter();
    let workloads = kinds.flat_map(|kind| of_kind(objects, kind));
    let found = workloads.map(|workload| {
        let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
        image.as_str().expect("an image").to_owned()
    });
    found.collect()
}

#[test]
fn the_chart_takes_the_values_of_the_release() {
    let example = repository().join("flux/clusters/example/podid/infrastructure");
    let release = read(&example.join("release.yaml"));
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.json");
    fs::write(&values, release["spec"]["values"].to_string()).unwrap();
    let (chart, values) = (chart().display().to_string(), values.display().to_string());
    let rendered = run_helm(&[
        "template",
        "podid",
        &chart,
        "--namespace",
        "podid-system",
        "--values",
        &values,
    ]);
    let rendered = objects(&rendered.unwrap());
    let settings = settings(&rendered);
    assert_eq!(
        settings["PODID_CLIENT_ID"],
        "33333333-3333-3333-3333-333333333333"
    );
    assert_eq!(
        settings["PODID_TENANT_ID"],
        "11111111-1111-1111-1111-111111111111"
    );
    let images = images(&rendered);
    assert_eq!(images.len(), 2);
    for image in images {
        assert!(
            image.starts_with("registry.example.com/platform/podid-"),
            "{image}"
        );
    }
}

#[test]
fn the_chart_has_the_version_that_the_bootstrap_asks_for() {
    let example = repository().join("flux/clusters/example/podid/infrastructure");
    let source = read(&example.join("source.yaml"));
    let version = &read(&chart().join("Chart.yaml"))["version"];
    assert_eq!(source["spec"]["ref"]["semver"], *version);
    assert_eq!(*version, env!("CARGO_PKG_VERSION"));
}

/// `kustomize/base`, as kustomize-controller builds it with the patches and images of a Kustomization.
#[test]
fn the_base_takes_the_patches_of_the_kustomization() {
    let kustomization = read(&repository().join("flux/kustomize/release.yaml"));
    let folder = tempfile::tempdir().unwrap();
    for part in ["kustomize", "crds/manifests"] {
        let to = folder.path().join(part);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(repository().join(part)).arg(&to);
        assert!(copy.status().unwrap().success());
    }
    let path = folder.path().join("kustomize/base/kustomization.yaml");
    let mut base = read(&path);
    base["patches"] = kustomization["spec"]["patches"].clone();
    let images_of_base = base["images"].as_array_mut().unwrap();
    images_of_base.extend(kustomization["spec"]["images"].as_array().unwrap().clone());
    fs::write(&path, serde_saphyr::to_string(&base).unwrap()).unwrap();

    let output = Command::new(toolset().bin("kustomize"))
        .arg("build")
        .arg(path.parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let built = objects(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(
        settings(&built)["PODID_CLIENT_ID"],
        "33333333-3333-3333-3333-333333333333"
    );
    for image in images(&built) {
        assert!(
            image.starts_with("registry.example.com/platform/podid-"),
            "{image}"
        );
    }
    let kinds = of_kind(&built, "CustomResourceDefinition");
    assert_eq!(kinds.len(), 6);
    for kind in kinds {
        let prune = &kind["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"];
        assert_eq!(*prune, json!("disabled"), "{}", kind["metadata"]["name"]);
    }
}

#[test]
fn a_bootstrapped_cluster_can_be_planned() {
    let bare = bootstrapped(&["--chart", "oci://registry.example.com/podid"]);
    pushed(bare.path(), add_profile);
    let clone = checked_out(bare.path());
    let cluster = clone.path().join("clusters/prod-1").display().to_string();
    let kustomize = toolset().bin("kustomize").display().to_string();
    let line = [
        "podid",
        "plan",
        &cluster,
        "--kustomize",
        &kustomize,
        "-o",
        "json",
    ];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = podid::run(line.map(Into::into), &mut out, &mut err);
    let (out, err) = (
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    );
    assert_eq!(exit, podid::Exit::Changes, "{out}{err}");
    let scope = format!("/subscriptions/{GUID}/resourceGroups/shop-northeurope");
    assert!(out.contains(&scope), "{out}");
}
