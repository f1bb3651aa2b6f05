//! Scene: two pods on two nodes use the identity, with programs that know nothing of podid.

use anyhow::{Context, Result, ensure};
use podid_lab::layout::{VAULT, VAULT_SECRET};
use podid_tests::programs;
use serde_json::Value;

use crate::command;
use crate::commit::identity;
use crate::facts::{NAMESPACE, PROFILE, TOKEN_URL};
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Pods use it";

/// Starts two pods, and reads a secret and a token in each.
pub(crate) fn use_identity(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("Two pods on two nodes use the identity");
    story.step(SCENE, "a Deployment of two, spread over the nodes", || {
        deploy(stage)
    })?;
    let pods = pods(stage)?;
    for pod in &pods {
        story.step(
            SCENE,
            &format!("{pod}: Python's azure-identity reads a Key Vault secret"),
            || read_secret(stage, pod),
        )?;
        story.step(
            SCENE,
            &format!("{pod}: curl gets a token of this identity"),
            || curl_token(stage, pod),
        )?;
    }
    story.step(
        SCENE,
        "the identity is on the scale set under the pods",
        || stage.ask(&["-n", NAMESPACE, "get", "azureassignedidentities"]),
    )
}

fn deploy(stage: &Stage) -> Result<String> {
    stage.apply_well(&deployment())?;
    stage.ask(&[
        "-n",
        NAMESPACE,
        "rollout",
        "status",
        "deployment/checkout",
        "--timeout=60s",
    ])?;
    let nodes = stage.ask(&[
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-o",
        "jsonpath={range .items[*]}{.spec.nodeName}{\"\\n\"}{end}",
    ])?;
    let mut nodes: Vec<&str> = nodes.lines().collect();
    nodes.sort_unstable();
    nodes.dedup();
    ensure!(
        nodes.len() == 2,
        "the two pods should run on two nodes, and run on {nodes:?}"
    );
    stage.ask(&["-n", NAMESPACE, "get", "pods", "-o", "wide"])
}

fn deployment() -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: checkout, namespace: {NAMESPACE} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: checkout }} }}
  template:
    metadata: {{ labels: {{ app: checkout, aadpodidbinding: {PROFILE} }} }}
    spec:
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {{ matchLabels: {{ app: checkout }} }}
      containers:
        - name: app
          image: example.com/checkout:1
          securityContext: {{ capabilities: {{ drop: [NET_RAW] }} }}
"
    )
}

/// Names of the application's pods.
pub(crate) fn pods(stage: &Stage) -> Result<Vec<String>> {
    let names = stage.ask(&[
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-l",
        "app=checkout",
        "-o",
        "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}",
    ])?;
    Ok(names.lines().map(str::to_owned).collect())
}

fn read_secret(stage: &Stage, pod: &str) -> Result<String> {
    let script = programs::repository().join("docs/examples/read_secret.py");
    let (python, script) = (
        stage.python.display().to_string(),
        script.display().to_string(),
    );
    let vault = format!("https://{VAULT}.vault.azure.net");
    let (secret, value) = VAULT_SECRET;
    let argv = [python.as_str(), script.as_str(), vault.as_str(), secret];
    let said = command::capture(&mut stage.in_pod(NAMESPACE, pod, &argv))?;
    ensure!(
        said == value,
        "the pod read {said:?}, which is not the secret"
    );
    Ok(format!("$ python read_secret.py {vault} {secret}\n{said}"))
}

fn curl_token(stage: &Stage, pod: &str) -> Result<String> {
    let argv = ["curl", "-sS", "-H", "Metadata:true", TOKEN_URL];
    let said = command::capture(&mut stage.in_pod(NAMESPACE, pod, &argv))?;
    let token: Value = serde_json::from_str(&said).context("the answer is no JSON")?;
    let wanted = identity(stage)?.client_id;
    ensure!(
        token["client_id"] == wanted.as_str(),
        "the token is for {}, and should be for {wanted}",
        token["client_id"]
    );
    ensure!(
        token["access_token"]
            .as_str()
            .is_some_and(|token| token.len() > 100),
        "no token: {said}"
    );
    Ok(format!(
        "$ curl -H Metadata:true '{TOKEN_URL}'\n\
         client_id {wanted}, token_type {}, expires_in {}",
        token["token_type"], token["expires_in"]
    ))
}
