//! What `podid plan` makes of the values of podid's own release is what Helm makes of them.

use std::fs;

use podid_tests::manifests::{chart, objects, run_helm};
use serde_json::{Value, json};

use super::{CLASS, PROFILE, Plan};

/// Values with a class, a profile and another object.
fn values() -> Value {
    let read = |text: &str| -> Value { serde_saphyr::from_str(text).unwrap() };
    let (class, mut profile) = (read(CLASS), read(PROFILE));
    profile["metadata"]["namespace"] = json!("team-a");
    json!({
        "operator": {"settings": {"credential": "managed-identity"}},
        "classes": [{"name": "standard", "spec": class["spec"]}],
        "profiles": [{"name": "podinfo", "namespace": "podinfo", "labels": {"team": "shop"}, "spec": profile["spec"]}],
        "extraObjects": [profile],
    })
}

#[test]
fn the_chart_makes_of_the_values_what_is_planned() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let values = values();
    let file = put("values.json", &values.to_string());
    let rendered = run_helm(&[
        "template",
        "podid",
        &chart().display().to_string(),
        "--namespace",
        "podid-system",
        "--values",
        &file,
    ]);
    let made = objects(&rendered.unwrap());
    let own = made
        .iter()
        .filter(|it| it["apiVersion"] == "podid.dev/v1alpha1");
    let texts: Vec<String> = own.map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    let by_helm = put("rendered/all.yaml", &texts.join("\n---\n"));
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "podid", "namespace": "podid-system"},
        "spec": {"chart": {"spec": {"chart": "podid"}}, "values": values},
    });
    let by_podid = put("fleet/release.yaml", &release.to_string());
    let plans = [by_helm, by_podid].map(|path| {
        let mut plan = Plan::of(&[&path]).0;
        for profile in plan["profiles"].as_array_mut().unwrap() {
            profile.as_object_mut().unwrap().remove("place");
        }
        plan
    });
    assert_eq!(plans[0]["profiles"].as_array().unwrap().len(), 2);
    assert_eq!(plans[0], plans[1]);
}
