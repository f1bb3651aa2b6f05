//! Scene: what must not work does not.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command;
use crate::facts::{NAMESPACE, PROFILE, STRANGER_NAMESPACE, TOKEN_URL};
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Strangers are refused";

/// A pod without the label, the label in another namespace, a pod that keeps NET_RAW.
pub(crate) fn stay_closed(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("What must not work");
    story.step(SCENE, "a pod without the label gets no token", || {
        refused_token(stage, NAMESPACE, "unlabelled", "")
    })?;
    story.step(
        SCENE,
        "the same label in another namespace gets no token",
        || {
            stage.ask(&["create", "namespace", STRANGER_NAMESPACE])?;
            refused_token(stage, STRANGER_NAMESPACE, "copycat", PROFILE)
        },
    )?;
    story.step(
        SCENE,
        "a bound pod that keeps NET_RAW is not admitted",
        || {
            let (taken, words) = stage.apply(&pod(NAMESPACE, "spoofer", PROFILE, "[]"))?;
            ensure!(
                !taken,
                "the API server admitted a bound pod that keeps NET_RAW"
            );
            ensure!(
                words.contains(PROFILE) && words.contains("NET_RAW"),
                "the refusal should name the profile and NET_RAW, and says: {words}"
            );
            Ok(words)
        },
    )
}

fn refused_token(stage: &Stage, namespace: &str, name: &str, label: &str) -> Result<String> {
    stage.apply_well(&pod(namespace, name, label, "[NET_RAW]"))?;
    stage.ask(&[
        "-n",
        namespace,
        "wait",
        &format!("pod/{name}"),
        "--for=condition=Ready",
        "--timeout=60s",
    ])?;
    let argv = [
        "curl",
        "-sS",
        "-w",
        "\n%{http_code}",
        "-H",
        "Metadata:true",
        TOKEN_URL,
    ];
    let said = command::capture(&mut stage.in_pod(namespace, name, &argv))?;
    let (body, status) = said.rsplit_once('\n').context("curl said nothing")?;
    let answer: Value = serde_json::from_str(body).context("the refusal is no JSON")?;
    ensure!(
        !said.contains("access_token"),
        "{namespace}/{name} got a token"
    );
    ensure!(
        status == "400",
        "the refusal should be a 400, and is a {status}: {body}"
    );
    Ok(format!(
        "{status} {}: {}",
        answer["error"], answer["error_description"]
    ))
}

fn pod(namespace: &str, name: &str, label: &str, drop: &str) -> String {
    let labels = match label {
        "" => "{}".to_owned(),
        label => format!("{{ aadpodidbinding: {label} }}"),
    };
    format!(
        "\
apiVersion: v1
kind: Pod
metadata: {{ name: {name}, namespace: {namespace}, labels: {labels} }}
spec:
  containers:
    - name: app
      image: example.com/app:1
      securityContext: {{ capabilities: {{ drop: {drop} }} }}
"
    )
}
