//! podid in a lab: its manifests applied as a user would. Kubelets, or the lab's stand-ins for them, then start
//! what the manifests say.

mod command;
mod containers;
mod error;
mod prerequisites;

use std::path::Path;
use std::process::Stdio;

use crate::lab::Lab;
use command::{run, said};

pub use containers::{IMAGES, archives, image, import, tag, trust_azure};
pub use error::InstallError;
pub use prerequisites::missing;

/// Namespace of podid's own objects.
pub const NAMESPACE: &str = "podid-system";
/// What must be ready, and how long it may take.
const WORKLOADS: [&str; 2] = ["deployment/podid-operator", "daemonset/podid-nmi"];
const ROLLOUT_LIMIT: &str = "--timeout=120s";

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

/// Installs podid from `overlay`, a folder for kustomize, and waits until its pods are ready. Where it was installed
/// before, its pods are replaced: what is built may be another program of the same name.
///
/// # Errors
///
/// When a tool fails, or podid does not become ready.
fn apply(lab: &Lab, overlay: &Path) -> Result<(), InstallError> {
    let was_there = is_installed(lab)?;
    trust_azure(lab, NAMESPACE)?;
    manifests(lab, overlay)?;
    if was_there {
        let restart = ["--namespace", NAMESPACE, "rollout", "restart"];
        run(lab.kubectl(&restart)?.args(WORKLOADS))?;
    }
    rollout(lab)
}

fn is_installed(lab: &Lab) -> Result<bool, InstallError> {
    let asked = [
        "--namespace",
        NAMESPACE,
        "get",
        "--ignore-not-found",
        "--output=name",
    ];
    let said = said(lab.kubectl(&asked)?.args(WORKLOADS), Stdio::null())?;
    Ok(!said.is_empty())
}

/// Waits until podid's pods are ready.
///
/// # Errors
///
/// When they do not become ready in time.
pub fn rollout(lab: &Lab) -> Result<(), InstallError> {
    for workload in WORKLOADS {
        let what = ["rollout", "status", workload, ROLLOUT_LIMIT];
        run(lab.kubectl(&["--namespace", NAMESPACE])?.args(what))?;
    }
    Ok(())
}

/// Installs podid where nodes run containers: makes podid's images in the folder `images` known to every node, and
/// applies `overlay`, a folder for kustomize.
///
/// # Errors
///
/// When an image is not there, the lab's nodes run no containers, a tool fails, or podid does not become ready.
pub fn containers(lab: &Lab, images: &Path, overlay: &Path) -> Result<(), InstallError> {
    import(lab, &archives(images))?;
    apply(lab, overlay)
}

/// Installs podid where nodes are stand-ins: makes podid's programs in `folder` known to them, and applies `overlay`,
/// a folder for kustomize.
///
/// # Errors
///
/// When a program is not there, a tool fails, or podid does not become ready.
pub fn programs(lab: &Lab, folder: &Path, overlay: &Path) -> Result<(), InstallError> {
    offer(lab, folder)?;
    apply(lab, overlay)
}

/// Lets the stand-ins of a lab start podid's programs in `folder` for the images of the same names.
///
/// # Errors
///
/// When a program is not there.
pub fn offer(lab: &Lab, folder: &Path) -> Result<(), InstallError> {
    for name in IMAGES {
        let program = folder.join(name);
        if !program.is_file() {
            return Err(InstallError::Missing(program));
        }
        crate::programs::offer(lab.dir(), name, &program).map_err(InstallError::Offer)?;
    }
    Ok(())
}
