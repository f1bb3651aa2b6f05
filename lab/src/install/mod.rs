//! podid in a lab: its manifests applied as a user would, its programs started
//! as a kubelet would.
//!
//! The lab knows nothing of podid's types. It runs the programs as they are,
//! with the flags and the rights that a cluster would give them.

mod containers;
mod error;
mod prerequisites;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::control::Service;
use crate::lab::{Lab, Side};
use crate::layout::OPERATOR_CLIENT_ID;
use crate::options::Target;

pub use containers::{archives, containers, image, import, rollout, trust_azure};
pub use error::InstallError;
pub use prerequisites::missing;

/// Namespace of podid's own objects.
pub const NAMESPACE: &str = "podid-system";
/// Replicas of the operator: one leads, one stands by.
const OPERATORS: u16 = 2;
/// Admin port of a node's daemon, and of the first operator.
const ADMIN_PORT: u16 = 8081;
/// How long a program may take until it is ready.
const LIMIT: Duration = Duration::from_secs(60);

/// Applies `base`, a folder for kustomize, and waits until the API server
/// serves its kinds.
pub fn manifests(lab: &Lab, base: &Path) -> Result<(), InstallError> {
    if !base.is_dir() {
        return Err(InstallError::NoManifests(base.to_owned()));
    }
    // The kinds first: the API server does not compile an admission policy whose
    // parameters are of an unknown kind until it looks at it again, much later.
    run(lab
        .kubectl(&["apply", "--server-side", "--force-conflicts", "-k"])?
        .arg(base.join("../../crds/manifests")))?;
    run(&mut lab.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=60s",
    ])?)?;
    run(lab
        .kubectl(&["apply", "--server-side", "--force-conflicts", "-k"])?
        .arg(base))
}

/// Starts the operators and a daemon on every node from `folder`, and waits
/// until all are ready. Those of an earlier installation are ended first.
pub fn programs(lab: &Lab, folder: &Path) -> Result<(), InstallError> {
    let mut started = Vec::new();
    let before: Vec<String> = lab
        .status()?
        .programs
        .into_iter()
        .map(|program| program.name)
        .collect();
    let start = |service: Service| {
        if before.contains(&service.name) {
            lab.stop_service(&service.name)?;
        }
        lab.spawn_service(service)
    };
    for replica in 0..OPERATORS {
        let service = operator(lab, folder, replica)?;
        started.push((
            service.name.clone(),
            Target::ControlPlane,
            ADMIN_PORT + replica,
        ));
        start(service)?;
    }
    for node in lab.status()?.nodes {
        let service = daemon(lab, folder, &node.name)?;
        started.push((service.name.clone(), Target::node(&node.name), ADMIN_PORT));
        start(service)?;
    }
    started
        .iter()
        .try_for_each(|(name, target, port)| ready(lab, name, target, *port))
}

/// Operator number `replica`, signed in to Azure with its service account's
/// token: no secret.
pub fn operator(lab: &Lab, folder: &Path, replica: u16) -> Result<Service, InstallError> {
    let kubeconfig = lab.service_account_kubeconfig(NAMESPACE, "podid-operator", Side::Inside)?;
    let token =
        lab.service_account_token(NAMESPACE, "podid-operator", "api://AzureADTokenExchange")?;
    let name = format!("podid-operator-{replica}");
    let argv = [program(folder, "podid-operator")?.display().to_string()];
    Ok(Service::new(&name, Target::ControlPlane, argv)
        .env("PODID_KUBECONFIG", kubeconfig.display().to_string())
        .env(
            "PODID_ADMIN_ADDR",
            format!("127.0.0.1:{}", ADMIN_PORT + replica),
        )
        .env("PODID_REPLICA", name.clone())
        .env("PODID_TENANT_ID", lab.endpoints().tenant_id.clone())
        .env("PODID_CLIENT_ID", OPERATOR_CLIENT_ID)
        .env("PODID_FEDERATED_TOKEN_FILE", token.display().to_string())
        .restarting())
}

/// The daemon of `node`.
pub fn daemon(lab: &Lab, folder: &Path, node: &str) -> Result<Service, InstallError> {
    let kubeconfig = lab.service_account_kubeconfig(NAMESPACE, "podid-nmi", Side::Inside)?;
    let argv = [program(folder, "podid-nmi")?.display().to_string()];
    Ok(
        Service::new(&format!("podid-nmi-{node}"), Target::node(node), argv)
            .env("PODID_KUBECONFIG", kubeconfig.display().to_string())
            .env("PODID_ADMIN_ADDR", format!("127.0.0.1:{ADMIN_PORT}"))
            .env("PODID_NODE_NAME", node)
            .restarting(),
    )
}

fn program(folder: &Path, name: &str) -> Result<PathBuf, InstallError> {
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(InstallError::Missing(path))
    }
}

/// Asks `/readyz` until it answers with success.
fn ready(lab: &Lab, name: &str, target: &Target, port: u16) -> Result<(), InstallError> {
    let url = format!("http://127.0.0.1:{port}/readyz");
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut ask = lab.command(target, ["curl", "-sS", "-f", "--max-time", "5", &url]);
        match run(&mut ask) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(InstallError::NotReady {
                    program: name.to_owned(),
                    seconds: LIMIT.as_secs(),
                    said: error.to_string(),
                    log: crate::events::tail(&lab.log(name), 20).join("\n"),
                });
            }
            // The program may not listen yet, which cannot be watched from here.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn run(command: &mut Command) -> Result<(), InstallError> {
    run_with(command, Stdio::null())
}

/// Runs a command to its end with this standard input; an error if it does not end well.
fn run_with(command: &mut Command, stdin: Stdio) -> Result<(), InstallError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(stdin)
        .output()
        .map_err(|source| InstallError::Run(program.clone(), source))?;
    if output.status.success() {
        return Ok(());
    }
    let words = command.get_args().map(|word| word.to_string_lossy());
    Err(InstallError::Failed {
        command: std::iter::once(program.into())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" "),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
