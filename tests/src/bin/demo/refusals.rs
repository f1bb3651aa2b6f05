//! Scene: what must not work does not.

use anyhow::{Context, Result, ensure};
use podid_lab::install::trust_azure;
use serde_json::{Value, json};

use crate::container::{Program, pod_spec, told};
use crate::facts::{NAMESPACE, PROFILE, STRANGER_NAMESPACE};
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Strangers are refused";

/// A pod without the label, the label in another namespace, a pod that keeps NET_RAW.
pub(crate) fn stay_closed(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("What must not work");
    story.step(SCENE, "a pod without the label gets no token", || {
        refused_token(stage, NAMESPACE, "unlabelled", None)
    })?;
    story.step(
        SCENE,
        "the same label in another namespace gets no token",
        || {
            trust_azure(&stage.lab, STRANGER_NAMESPACE)?;
            refused_token(stage, STRANGER_NAMESPACE, "copycat", Some(PROFILE))
        },
    )?;
    story.step(
        SCENE,
        "a bound pod that keeps NET_RAW is not admitted",
        || {
            let (taken, words) = stage.apply(&pod(NAMESPACE, "spoofer", Some(PROFILE), &[]))?;
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

fn refused_token(
    stage: &Stage,
    namespace: &str,
    name: &str,
    label: Option<&str>,
) -> Result<String> {
    stage.apply_well(&pod(namespace, name, label, &["NET_RAW"]))?;
    let pod = format!("pod/{name}");
    let ready = ["wait", &pod, "--for=condition=Ready", "--timeout=60s"];
    stage.ask(&[&["-n", namespace], &ready[..]].concat())?;
    let said = told(stage, namespace, name, Program::Curl)?;
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

fn pod(namespace: &str, name: &str, label: Option<&str>, drop: &[&str]) -> String {
    let labels = label.map(|label| json!({"aadpodidbinding": label}));
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": pod_spec(&[Program::Curl.container(drop)]),
    });
    pod.to_string()
}
