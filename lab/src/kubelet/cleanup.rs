//! Removing from a node what pods have, or have left, there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use k8s_openapi::api::core::v1::Pod;

use super::error::PodSandboxError;
use super::names;
use super::node::Node;
use crate::cgroup;

/// Removes from the node all that a pod has there, but for its claim on an address.
pub(super) async fn clear(node: &Node, pod: &Pod, uid: &str) -> Result<(), PodSandboxError> {
    node.network.detach(uid).await?;
    remove_cgroup(names::cgroups(&node.cgroup, pod, uid).pod).await?;
    let folder = files(node, uid);
    match std::fs::remove_dir_all(&folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(PodSandboxError::File {
                action: "remove",
                path: folder,
                source,
            })
        }
        _ => Ok(()),
    }
}

/// Gives the pod's address back, when nothing uses it any more.
pub(super) fn release(node: &Node, uid: &str) {
    node.addresses
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .release(uid);
}

/// Removes the cgroups (with their processes) and files of pods that are not among `known`. Their
/// links go with their processes.
pub(super) async fn sweep(node: &Node, known: &BTreeSet<String>) {
    let slices = names::QOS_SLICES
        .iter()
        .flat_map(|slice| folders(&node.cgroup.join(slice)));
    for slice in slices {
        let Some(uid) = names::uid_of_slice(&file_name(&slice)) else {
            continue;
        };
        if known.contains(&uid) {
            continue;
        }
        tracing::info!(
            uid,
            node = node.layout.name,
            "removing what an unknown pod left"
        );
        if let Err(error) = remove_cgroup(slice).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot remove a leftover"
            );
        }
    }
    for files in folders(&files_of_pods(node)) {
        if !known.contains(&file_name(&files)) {
            // Leftover text files do no harm and are removed with the lab.
            let _ = std::fs::remove_dir_all(files);
        }
    }
}

/// The folder of a pod's managed files.
pub(super) fn files(node: &Node, uid: &str) -> PathBuf {
    files_of_pods(node).join(uid)
}

fn files_of_pods(node: &Node) -> PathBuf {
    node.context
        .dir
        .file(Path::new("pods").join(&node.layout.name))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Kills what runs in a cgroup and removes it. Waiting for the kernel blocks, hence the thread.
async fn remove_cgroup(path: PathBuf) -> Result<(), PodSandboxError> {
    let joined = tokio::task::spawn_blocking(move || cgroup::remove(&path)).await;
    match joined {
        Ok(removed) => Ok(removed?),
        // The runtime ends; so does the lab.
        Err(_) => Ok(()),
    }
}

/// The folders in a folder.
pub(super) fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}
