//! A container that asks the moment it starts, and what it was told.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use podid_lab::Target;
use podid_lab::image::BOX;
use podid_lab::layout::{CONTROL_PLANE, VAULT, VAULT_SECRET};
use serde_json::{Value, json};

use crate::command;
use crate::facts::TOKEN_URL;
use crate::nodes::Nodes;
use crate::stage::Stage;
use podid_tests::sdk_image::{PACKAGES, READ_SECRET, SDK};

/// What a container prints before the exit code of its program.
const ENDED: &str = "exit code ";
/// Runs its arguments as a program for a minute at most, says how that ended, and stays.
const SCRIPT: &str =
    "timeout 60 \"$@\"; code=$?; echo; echo exit code $code; exec tail -f /dev/null";
/// Where containers find the certificates of the simulated Azure.
const CERTIFICATES: &str = "/etc/azure-ca";

/// One of the application's two programs, which know nothing of podid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// curl, which asks for a token.
    Curl,
    /// Azure's SDK, which reads a secret of the vault.
    Sdk,
}

impl Program {
    /// Its container's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Sdk => "sdk",
        }
    }

    /// The command that a container runs.
    pub(crate) fn argv(self) -> Vec<String> {
        match self {
            Self::Curl => words([
                "curl",
                "-sS",
                "-w",
                "\n%{http_code}",
                "-H",
                "Metadata:true",
                TOKEN_URL,
            ]),
            Self::Sdk => {
                let vault = format!("https://{VAULT}.vault.azure.net");
                words(["python", READ_SECRET, &vault, VAULT_SECRET.0])
            }
        }
    }

    /// Its container, as an object of Kubernetes. `drop` are the capabilities that it does without.
    pub(crate) fn container(self, drop: &[&str]) -> Value {
        let image = match self {
            Self::Curl => BOX,
            Self::Sdk => SDK,
        };
        let mut command = words(["sh", "-c", SCRIPT, "sh"]);
        command.extend(self.argv());
        let bundle = format!("{CERTIFICATES}/ca.pem");
        json!({
            "name": self.name(),
            "image": image,
            "command": command,
            "env": [
                {"name": "PYTHONPATH", "value": PACKAGES},
                {"name": "REQUESTS_CA_BUNDLE", "value": bundle},
            ],
            "securityContext": {"capabilities": {"drop": drop}},
            "volumeMounts": [{"name": "azure", "mountPath": CERTIFICATES}],
        })
    }
}

/// The `spec` of a pod with these containers. It trusts the simulated Azure, and finds it without a name server.
pub(crate) fn pod_spec(containers: &[Value]) -> Value {
    let vault = format!("{VAULT}.vault.azure.net");
    json!({
        "terminationGracePeriodSeconds": 1,
        "hostAliases": [{"ip": CONTROL_PLANE, "hostnames": [vault]}],
        "containers": containers,
        "volumes": [{"name": "azure", "configMap": {"name": "simulated-azure"}}],
    })
}

/// What the program of a container was told when it started. On nodes without containers, what it is told when it
/// is run in the pod.
pub(crate) fn told(stage: &Stage, namespace: &str, pod: &str, program: Program) -> Result<String> {
    match stage.nodes {
        Nodes::Kubelet(_) => {
            let logs = [
                "logs",
                "--follow",
                "--namespace",
                namespace,
                pod,
                "--container",
            ];
            let (said, code) = first_run(stage.lab.kubectl(&logs)?.arg(program.name()))?;
            ensure!(
                code == "0",
                "{} in {pod} ended with {code}: {said}",
                program.name()
            );
            Ok(said)
        }
        Nodes::StandIn => {
            let mut argv = program.argv();
            if matches!(program, Program::Sdk) {
                let script =
                    podid_tests::programs::repository().join("docs/examples/read_secret.py");
                argv[0] = stage.python.display().to_string();
                argv[1] = script.display().to_string();
            }
            let target = Target::pod(namespace, pod);
            command::capture(&mut stage.lab.command(&target, argv))
        }
    }
}

/// Follows a log until the program has ended; what it said, and its exit code.
fn first_run(logs: &mut Command) -> Result<(String, String)> {
    let mut child = logs
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start kubectl")?;
    let stdout = child.stdout.take().context("kubectl has no output")?;
    let mut said = Vec::new();
    let mut code = None;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what kubectl says")?;
        if let Some(found) = line.strip_prefix(ENDED) {
            code = Some(found.to_owned());
            break;
        }
        said.push(line);
    }
    // It would follow the log for ever.
    let _ = child.kill();
    child.wait()?;
    let said = said.join("\n").trim_end().to_owned();
    let code = code.with_context(|| format!("the log ended too early: {said}"))?;
    Ok((said, code))
}

/// curl in a pod that is there already, asking again.
pub(crate) fn ask_again(stage: &Stage, namespace: &str, pod: &str) -> Result<String> {
    let argv = Program::Curl.argv();
    let mut curl = match stage.nodes {
        Nodes::Kubelet(_) => {
            let curl = Program::Curl.name();
            let exec = [
                "exec",
                "--namespace",
                namespace,
                pod,
                "--container",
                curl,
                "--",
            ];
            stage.lab.kubectl(&exec)?
        }
        Nodes::StandIn => return told(stage, namespace, pod, Program::Curl),
    };
    command::capture(curl.args(argv))
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}
