//! What podid needs before it is applied: images on nodes that run containers, and trust in the simulated Azure.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::command::{run, run_with};
use super::error::InstallError;
use crate::containerd;
use crate::lab::{Lab, LabError};
use crate::options::Target;
use crate::state::CA_BUNDLE;

/// Images that podid's manifests name, which are named as the programs in them.
pub const IMAGES: [&str; 2] = ["podid-operator", "podid-nmi"];

/// The archives of the images that podid's manifests name, in a folder that `cargo xtask image` has filled.
#[must_use]
pub fn archives(images: &Path) -> Vec<PathBuf> {
    IMAGES.map(|name| images.join(format!("{name}.tar"))).into()
}

/// Makes the images in `archives` known to every node.
///
/// # Errors
///
/// When an archive is not there, the lab's nodes run no containers, or containerd refuses it.
pub fn import(lab: &Lab, archives: &[PathBuf]) -> Result<(), InstallError> {
    let status = lab.status()?;
    let mut programs = status.programs.iter();
    if !programs.any(|one| one.name.starts_with("containerd")) {
        return Err(InstallError::NoContainers(lab.name().to_owned()));
    }
    std::thread::scope(|scope| {
        let on_node = |node: &str| archives.iter().try_for_each(|file| image(lab, node, file));
        let nodes = status.nodes.iter();
        let imports: Vec<_> = nodes
            .map(|node| scope.spawn(move || on_node(&node.name)))
            .collect();
        let panicked = |_| Err(InstallError::Panicked);
        imports
            .into_iter()
            .try_for_each(|import| import.join().unwrap_or_else(panicked))
    })
}

/// Makes the image in `archive` known to a node.
///
/// # Errors
///
/// When the image is not there, or the node does not take it.
pub fn image(lab: &Lab, node: &str, archive: &Path) -> Result<(), InstallError> {
    let file = File::open(archive).map_err(|_| InstallError::NoImage(archive.to_owned()))?;
    let argv = containerd::import(&lab.tools()?.join("ctr"), Path::new("-"));
    run_with(&mut lab.command(&Target::node(node), argv), file.into())
}

/// Gives an image that a node knows another name too.
///
/// # Errors
///
/// When the node does not know it.
pub fn tag(lab: &Lab, node: &str, from: &str, to: &str) -> Result<(), InstallError> {
    let argv = containerd::tag(&lab.tools()?.join("ctr"), from, to);
    run(&mut lab.command(&Target::node(node), argv))
}

/// Writes the ConfigMap `simulated-azure` into `name`, a namespace that is made if need be: by its `ca.pem`, pods
/// there trust the simulated Azure; its `tenant-id` is the tenant there.
///
/// # Errors
///
/// When the API server refuses it.
pub fn trust_azure(lab: &Lab, name: &str) -> Result<(), InstallError> {
    let bundle = lab.dir().read(CA_BUNDLE).map_err(LabError::from)?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
    });
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "simulated-azure", "namespace": name},
        "data": {"ca.pem": bundle, "tenant-id": lab.endpoints().tenant_id},
    });
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [namespace, config_map]});
    let file = lab
        .dir()
        .write_json(&format!("simulated-azure-{name}.json"), &objects)
        .map_err(LabError::from)?;
    run(lab
        .kubectl(&["apply", "--server-side", "--force-conflicts", "--filename"])?
        .arg(file))
}
