//! podid in a lab whose nodes run containers, as a user installs it: images on the nodes, `kubectl apply -k`.

use std::path::Path;

use serde_json::json;

use super::{InstallError, NAMESPACE, manifests, run};
use crate::containerd;
use crate::lab::{Lab, LabError};
use crate::options::Target;
use crate::state::CA_BUNDLE;

/// Images that podid's manifests name, by the name of their archive.
const IMAGES: [&str; 2] = ["podid-operator", "podid-nmi"];
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
            image(lab, &node.name, &images.join(format!("{name}.tar")))?;
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
        run(&mut lab.kubectl(&arguments)?)?;
    }
    Ok(())
}

/// Makes the image in `archive` known to a node.
///
/// # Errors
///
/// When the image is not there, or the node does not take it.
pub fn image(lab: &Lab, node: &str, archive: &Path) -> Result<(), InstallError> {
    if !archive.is_file() {
        return Err(InstallError::NoImage(archive.to_owned()));
    }
    let argv = containerd::import(&lab.tools()?.join("ctr"), archive);
    run(&mut lab.command(&Target::node(node), argv))
}

/// Writes the ConfigMap by which the operator trusts the simulated Azure, and its namespace.
///
/// # Errors
///
/// When the API server refuses.
pub fn trust_azure(lab: &Lab) -> Result<(), InstallError> {
    let bundle = lab.dir().read(CA_BUNDLE).map_err(LabError::from)?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "azure-ca", "namespace": NAMESPACE},
        "data": {"ca.pem": bundle},
    });
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [namespace, config_map]});
    let file = lab
        .dir()
        .write_json("azure-ca.json", &objects)
        .map_err(LabError::from)?;
    run(lab
        .kubectl(&["apply", "--server-side", "--force-conflicts", "--filename"])?
        .arg(file))
}
