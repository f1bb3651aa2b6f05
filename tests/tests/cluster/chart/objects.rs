//! What the API server says of every object that the chart can render.

use std::fs;
use std::io::Write as _;

use podid_tests::manifests::{chart, objects, run_helm};
use serde_json::{Value, json};

use super::stage::Stage;

/// Kinds that this cluster does not have.
const OF_PROMETHEUS: &str = "monitoring.coreos.com/v1";

/// Whether everything that was sent is in what was stored; else the first field that is not.
fn kept(path: &str, sent: &Value, stored: &Value) -> Result<(), String> {
    match (sent, stored) {
        (Value::Object(sent), Value::Object(stored)) => sent.iter().try_for_each(|(key, value)| {
            let stored = stored.get(key).unwrap_or(&Value::Null);
            kept(&format!("{path}/{key}"), value, stored)
        }),
        (Value::Array(sent), Value::Array(stored)) if sent.len() == stored.len() => {
            let pairs = sent.iter().zip(stored).enumerate();
            let mut pairs = pairs.map(|(i, (a, b))| kept(&format!("{path}/{i}"), a, b));
            pairs.try_for_each(|same| same)
        }
        (sent, stored) if sent == stored => Ok(()),
        (sent, stored) => Err(format!("{path}: sent {sent}, stored {stored}")),
    }
}

#[test]
fn the_api_server_takes_every_object_as_it_is() {
    let stage = Stage::enter();
    let kubectl = stage.kubectl();
    stage.install_kinds();
    for name in ["podid-system", "identity-system", "monitoring", "payments"] {
        kubectl
            .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    let mut taken = 0;
    for entry in fs::read_dir(chart().join("ci")).unwrap() {
        let values = entry.unwrap().path().display().to_string();
        let folder = chart().display().to_string();
        let place = "--namespace=podid-system";
        let rendered = run_helm(&["template", "podid", &folder, "--values", &values, place]);
        let sent = objects(&rendered.unwrap());
        let sent = sent
            .iter()
            .filter(|object| object["apiVersion"] != OF_PROMETHEUS);
        for object in sent {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(object.to_string().as_bytes()).unwrap();
            let file = file.path().display().to_string();
            let how = ["--server-side", "--dry-run=server", "--force-conflicts"];
            let stored = kubectl.json(&[&["apply", "--filename", &file][..], &how].concat());
            kept("", object, &stored).unwrap_or_else(|why| panic!("{values}: {object}\n{why}"));
            taken += 1;
        }
    }
    assert!(taken > 80, "{taken}");
}
