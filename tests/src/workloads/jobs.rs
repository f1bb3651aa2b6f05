//! Jobs whose containers ask for a token at once.

use std::process::Output;

use podid_lab::image::BOX;
use podid_lab::install::NAMESPACE;
use serde_json::{Value, json};

use super::team::TEAM;
use crate::kubectl::Kubectl;
use crate::node::TOKEN_URL;

/// A container that asks for a token once and at once, prints the answer, and fails without one.
pub fn asks_once(name: &str) -> Value {
    json!({
        "name": name,
        "image": BOX,
        "command": ["curl", "-sS", "--fail-with-body", "--max-time", "40", "-H", "Metadata:true", TOKEN_URL],
        "securityContext": {"capabilities": {"drop": ["ALL"]}},
    })
}

/// Six pods, three at a time, each of which must end well at its first try.
pub fn job(name: &str, pod: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": {
            "backoffLimit": 0,
            "completions": 6,
            "parallelism": 3,
            "template": {
                "metadata": {"labels": {"aadpodidbinding": "checkout"}},
                "spec": pod,
            },
        },
    })
}

/// Waits until a job ended well.
///
/// # Panics
/// When it does not: with what its pods and the daemons said.
#[allow(clippy::panic)]
pub fn completes(kubectl: &Kubectl<'_>, name: &str) {
    let job = format!("job/{name}");
    let wait = [
        "--namespace",
        TEAM,
        "wait",
        &job,
        "--for=condition=Complete",
        "--timeout=90s",
    ];
    let ended: Output = kubectl.output(&wait);
    if !ended.status.success() {
        let selector = format!("--selector=job-name={name}");
        let said = |arguments: &[&str]| {
            let output = kubectl.output(arguments);
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let all = ["--all-containers", "--prefix", "--tail=-1"];
        let own = ["--namespace", TEAM, "logs", &selector];
        let daemons = [
            "--namespace",
            NAMESPACE,
            "logs",
            "--selector=app.kubernetes.io/name=podid-nmi",
        ];
        panic!(
            "{name}: {ended:?}\n{}\n{}\n{}",
            said(&[
                "--namespace",
                TEAM,
                "get",
                "pods",
                "--output=yaml",
                &selector
            ]),
            said(&[&own[..], &all].concat()),
            said(&[&daemons[..], &all].concat()),
        );
    }
}
