//! How the chart renders: by every values file, the same each time, packaged or not.

use std::fs;

use podid_tests::manifests::{chart, objects, run_helm};
use serde_json::Value;

use crate::values::files;

/// What helm makes of a chart with a values file, tests and kinds included.
fn rendered(chart: &str, values: &str) -> String {
    let place = ["--namespace=podid-system", "--include-crds"];
    let template = ["template", "podid", chart, "--values", values];
    run_helm(&[&template[..], &place].concat()).unwrap()
}

#[test]
fn every_values_file_renders_the_same_each_time_packaged_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let chart = chart().display().to_string();
    run_helm(&["package", &chart, "--destination", &out]).unwrap();
    let package = fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let package = package.path().display().to_string();
    for file in files() {
        let file = file.display().to_string();
        run_helm(&["lint", "--strict", &chart, "--values", &file]).unwrap();
        let first = rendered(&chart, &file);
        assert_eq!(first, rendered(&chart, &file), "{file}");
        assert_eq!(first, rendered(&package, &file), "{file}");
        assert!(!objects(&first).is_empty(), "{file}");
    }
}

#[test]
fn no_rendered_object_holds_a_secret_or_a_field_without_a_value() {
    for file in files() {
        let name = file.display().to_string();
        for object in objects(&rendered(&chart().display().to_string(), &name)) {
            assert_ne!(object["kind"], "Secret", "{name}");
            let metadata = &object["metadata"];
            if object["kind"] != "CustomResourceDefinition" {
                assert!(!has_null(&object), "{name}: {object}");
            }
            assert!(metadata["name"].is_string(), "{name}: {object}");
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

/// The one question to the API server, which the value `policies.netRaw.addDrop` answers in its place.
const KNOWS_MUTATION: &str =
    ".Capabilities.APIVersions.Has \"admissionregistration.k8s.io/v1/MutatingAdmissionPolicy\"";

#[test]
fn templates_ask_nothing_that_changes() {
    let mut seen = 0;
    let mut folders = vec![chart().join("templates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            seen += 1;
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace(KNOWS_MUTATION, "");
            for word in [
                "lookup ",
                "now ",
                "rand",
                "genCA",
                "genSelf",
                "uuidv4",
                ".Capabilities",
            ] {
                let actions = text.split("{{").skip(1);
                let asks = actions.map(|rest| rest.split("}}").next().unwrap());
                assert!(
                    asks.into_iter().all(|ask| !ask.contains(word)),
                    "{}: {word}",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 20);
}

#[test]
fn the_chart_is_of_the_version_of_the_workspace() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
}
