//! The layers come and go in their order.

use std::fs;
use std::path::Path;

use podid_lab::Flux;
use podid_tests::fleet::{GUID, add_profile, bootstrapped, pushed};
use podid_tests::flux;
use podid_tests::kubectl::Kubectl;
use serde_json::json;

use super::{lab, namespaces};

const CHECKOUT: &str = "podidentityprofile/checkout";

/// Takes podid out of git at once. Another object stays, or Flux would find the path empty.
fn remove_podid(clone: &Path) {
    fs::remove_dir_all(clone.join("clusters/prod-1/podid")).unwrap();
    let other =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n  namespace: payments\n";
    fs::write(clone.join("clusters/prod-1/other.yaml"), other).unwrap();
}

#[test]
fn layers_come_one_after_the_other_and_podid_outlives_its_profiles() {
    let lab = lab("flux-layers", Flux::Kustomize);
    let bare = bootstrapped(&["--chart", "oci://registry.example.com/podid"]);
    pushed(bare.path(), add_profile);
    let kubectl = Kubectl::of(&lab);
    namespaces(&kubectl, &["flux-system", "payments"]);
    flux::follow(&kubectl, bare.path(), "clusters/prod-1");
    come(&kubectl);
    go(&kubectl, bare.path());
}

/// Each layer waits for the one before, and the profile has the facts.
fn come(kubectl: &Kubectl<'_>) {
    kubectl.wait_for("helmrelease/podid", "podid-system");
    let class = || kubectl.find("podidentityclass/standard", "default");
    let profile = || kubectl.find(CHECKOUT, "payments");
    let early = (class(), profile());
    assert_eq!(early, (None, None), "the release is not ready yet");

    ready(kubectl, "ocirepository/podid", "podid-system");
    ready(kubectl, "helmrelease/podid", "podid-system");
    let found = kubectl.wait_for("podidentityclass/standard", "default");
    let names = &found["spec"]["limits"]["namespaces"]["names"];
    assert_eq!(*names, json!(["payments"]));
    assert_eq!(profile(), None, "the class is not ready yet");

    ready(kubectl, "podidentityclass/standard", "default");
    let found = kubectl.wait_for(CHECKOUT, "payments");
    let scope = format!("/subscriptions/{GUID}/resourceGroups/shop-northeurope");
    assert_eq!(found["spec"]["access"][0]["scope"], scope);
    // While Flux waits for a layer to become ready, it does not delete it.
    ready(kubectl, CHECKOUT, "payments");
}

/// All layers leave git at once: the profile is deleted, and podid stays until that is done and after.
fn go(kubectl: &Kubectl<'_>, bare: &Path) {
    // As the operator does, until Azure has nothing of the profile's any more.
    finalizers(kubectl, "[\"podid.dev/test\"]");
    pushed(bare, remove_podid);
    kubectl.wait_until_gone("kustomization/podid-infrastructure", "flux-system");
    kubectl.wait_until(CHECKOUT, "payments", "in deletion", |profile| {
        profile["metadata"]["deletionTimestamp"].is_string()
    });
    for (object, namespace) in [
        ("kustomization/podid-profiles", "flux-system"),
        ("helmrelease/podid", "podid-system"),
        ("crd/podidentityprofiles.podid.dev", "default"),
    ] {
        let found = kubectl.find(object, namespace);
        assert!(found.is_some(), "{object} went before the profile");
    }
    finalizers(kubectl, "null");
    kubectl.wait_until_gone("kustomization/podid-profiles", "flux-system");
    kubectl.wait_until_gone(CHECKOUT, "payments");
    let release = kubectl.find("helmrelease/podid", "podid-system");
    assert!(release.is_some(), "podid went too");
}

fn finalizers(kubectl: &Kubectl<'_>, list: &str) {
    let patch = format!("{{\"metadata\":{{\"finalizers\":{list}}}}}");
    let what = [
        "-n",
        "payments",
        "patch",
        CHECKOUT,
        "--type=merge",
        "-p",
        &patch,
    ];
    kubectl.run(&what);
}

/// Says that an object is ready, in the place of the controller that would.
fn ready(kubectl: &Kubectl<'_>, object: &str, namespace: &str) {
    let generation = &kubectl.wait_for(object, namespace)["metadata"]["generation"];
    let status = json!({"status": {
        "observedGeneration": generation,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Test", "message": "by the test",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }});
    let patch = status.to_string();
    let what = [
        "patch",
        object,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ];
    kubectl.run(&[&["-n", namespace], &what[..]].concat());
}
