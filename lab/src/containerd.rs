//! containerd on nodes that run containers: where it takes requests, and what is asked of it.

use std::path::Path;

/// Where it takes requests, in the node.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";

/// The command that makes the image in an archive known to a node's pods, given the program `ctr`. `-` is
/// standard input: a node has folders of its own, and may not see the archive's.
pub(crate) fn import(ctr: &Path, archive: &Path) -> Vec<String> {
    let (ctr, archive) = (ctr.display().to_string(), archive.display().to_string());
    let pods = ["--address", SOCKET, "--namespace", "k8s.io"];
    let words = pods.into_iter().chain(["images", "import"]);
    let words = words.map(str::to_owned);
    std::iter::once(ctr).chain(words).chain([archive]).collect()
}
