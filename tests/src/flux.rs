//! What `flux bootstrap` leaves in a cluster: a repository that Flux follows.

use std::path::Path;

use serde_json::{Value, json};

use crate::kubectl::Kubectl;

/// Namespace of Flux.
pub const NAMESPACE: &str = "flux-system";

/// A branch or tag of a repository on this machine, as a source of Flux.
#[must_use]
pub fn git_repository(name: &str, namespace: &str, bare: &Path, reference: &Value) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"url": url(bare), "ref": reference, "interval": "1m"},
    })
}

/// Where the lab's Flux finds a repository on this machine.
#[must_use]
pub fn url(bare: &Path) -> String {
    format!("ssh://localhost{}", bare.display())
}

/// Flux follows the branch `main` and applies the folder of a cluster.
///
/// # Panics
/// When the API server refuses it.
pub fn follow(kubectl: &Kubectl<'_>, bare: &Path, cluster_path: &str) {
    let branch = json!({"branch": "main"});
    kubectl.apply(&git_repository(NAMESPACE, NAMESPACE, bare, &branch));
    kubectl.apply(&json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
        "spec": {
            "sourceRef": {"kind": "GitRepository", "name": NAMESPACE},
            "path": format!("./{cluster_path}"),
            "prune": true,
            "interval": "10m",
            "retryInterval": "2s",
        },
    }));
}
