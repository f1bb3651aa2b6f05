//! Scene: two pods on two nodes use the identity, with programs that know nothing of podid.

use anyhow::{Context, Result, ensure};
use podid_lab::install::trust_azure;
use podid_lab::layout::VAULT_SECRET;
use serde_json::{Value, json};

use crate::command;
use crate::commit::identity;
use crate::container::{Program, pod_spec, told};
use crate::facts::{NAMESPACE, PROFILE};
use crate::nodes::Nodes;
use crate::stage::Stage;
use crate::story::Story;

const SCENE: &str = "Pods use it";

/// Starts two pods, each of which reads a secret and asks for a token.
pub(crate) fn use_identity(stage: &Stage, story: &mut Story) -> Result<()> {
    story.scene("Two pods on two nodes use the identity");
    story.step(SCENE, "a Deployment of two, spread over the nodes", || {
        deploy(stage)
    })?;
    for pod in &pods(stage)? {
        let step = format!("{pod}: Python's azure-identity reads a Key Vault secret");
        story.step(SCENE, &step, || read_secret(stage, pod))?;
        let step = format!("{pod}: curl gets a token of this identity");
        story.step(SCENE, &step, || curl_token(stage, pod))?;
    }
    story.step(
        SCENE,
        "the identity is on the scale set under the pods",
        || stage.ask(&["-n", NAMESPACE, "get", "azureassignedidentities"]),
    )
}

fn deploy(stage: &Stage) -> Result<String> {
    trust_azure(&stage.lab, NAMESPACE)?;
    stage.apply_well(&deployment().to_string())?;
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

fn deployment() -> Value {
    let containers = [Program::Sdk, Program::Curl].map(|program| program.container(&["NET_RAW"]));
    let mut spec = pod_spec(&containers);
    spec["topologySpreadConstraints"] = json!([{
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "checkout"}},
    }]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": NAMESPACE},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "checkout"}},
            "template": {
                "metadata": {"labels": {"app": "checkout", "aadpodidbinding": PROFILE}},
                "spec": spec,
            },
        },
    })
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
    let said = told(stage, NAMESPACE, pod, Program::Sdk)?;
    ensure!(
        said == VAULT_SECRET.1,
        "the pod read {said:?}, which is not the secret"
    );
    Ok(shown(stage, pod, Program::Sdk, &said))
}

fn curl_token(stage: &Stage, pod: &str) -> Result<String> {
    let said = told(stage, NAMESPACE, pod, Program::Curl)?;
    let (said, status) = said.rsplit_once('\n').context("curl said nothing")?;
    ensure!(status == "200", "the answer was a {status}: {said}");
    let token: Value = serde_json::from_str(said).context("the answer is no JSON")?;
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
    let seen = format!(
        "client_id {wanted}, token_type {}, expires_in {}",
        token["token_type"], token["expires_in"]
    );
    Ok(shown(stage, pod, Program::Curl, &seen))
}

/// What a person would type to see this, and what is seen.
fn shown(stage: &Stage, pod: &str, program: Program, seen: &str) -> String {
    let typed = match stage.nodes {
        Nodes::Kubelet(_) => format!("kubectl -n {NAMESPACE} logs {pod} -c {}", program.name()),
        Nodes::StandIn => command::line(program.argv()),
    };
    format!("$ {typed}\n{seen}")
}
