//! podid in a lab whose nodes run containers, as a user installs it: images on the nodes, `kubectl apply -k`.

use std::path::Path;
use std::process::Command;

use super::{InstallError, NAMESPACE, kubectl, manifests, run};
use crate::lab::Lab;
use crate::options::Target;
use crate::state::CA_BUNDLE;

/// Images that podid's manifests name, by the name of their archive.
const IMAGES: [&str; 2] = ["podid-operator", "podid-nmi"];
/// Where containerd takes requests, in a node.
const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// What must be ready, and how long it may take.
const WORKLOADS: [&str; 2] = ["deployment/podid-operator", "daemonset/podid-nmi"];
const ROLLOUT_LIMIT: &str = "--timeout=120s";

/// Makes the images in the folder `images` known to every node, applies `overlay`, a folder for kustomize,
/// and waits until podid is ready.
///
/// # Errors
///
/// When an image is not there, the lab's nodes run no containers, a tool fails, or podid does not become ready.
pub fn containers(lab: &Lab, images: &Path, overlay: &Path) -> Result<(), InstallError> {
    let status = lab.status()?;
    if !status
        .programs
        .iter()
        .any(|one| one.name.starts_with("containerd"))
    {
        return Err(InstallError::NoContainers(lab.name().to_owned()));
    }
    for node in &status.nodes {
        for name in IMAGES {
            import(lab, &node.name, &images.join(format!("{name}.tar")))?;
        }
    }
    trust_azure(lab)?;
    manifests(lab, overlay)?;
    for workload in WORKLOADS {
        let arguments = [
            "--namespace",
            NAMESPACE,
            "rollout",
            "status",
            workload,
            ROLLOUT_LIMIT,
        ];
        run(&mut kubectl(lab, &arguments)?)?;
    }
    Ok(())
}

fn import(lab: &Lab, node: &str, archive: &Path) -> Result<(), InstallError> {
    if !archive.is_file() {
        return Err(InstallError::NoImage(archive.to_owned()));
    }
    let ctr = lab.tools()?.join("ctr");
    let mut command = lab.command(&Target::node(node), [ctr]);
    run(command
        .args([
            "--address",
            CONTAINERD,
            "--namespace",
            "k8s.io",
            "images",
            "import",
        ])
        .arg(archive))
}

/// Writes the ConfigMap by which the operator trusts the simulated Azure.
fn trust_azure(lab: &Lab) -> Result<(), InstallError> {
    let namespace = ["create", "namespace", NAMESPACE];
    let file = format!("--from-file=ca.pem={}", lab.dir().file(CA_BUNDLE).display());
    let config_map = [
        "--namespace",
        NAMESPACE,
        "create",
        "configmap",
        "azure-ca",
        &file,
    ];
    for object in [&namespace[..], &config_map] {
        let mut described = kubectl(lab, object)?;
        let described = described.args(["--dry-run=client", "--output=json"]);
        apply(lab, described)?;
    }
    Ok(())
}

/// Applies what a command prints.
fn apply(lab: &Lab, printing: &mut Command) -> Result<(), InstallError> {
    let failed = |source| InstallError::Run("kubectl".to_owned(), source);
    let printed = printing.output().map_err(failed)?;
    let file = lab.dir().file("applied.json");
    std::fs::write(&file, printed.stdout).map_err(failed)?;
    run(kubectl(
        lab,
        &["apply", "--server-side", "--force-conflicts", "--filename"],
    )?
    .arg(file))
}
