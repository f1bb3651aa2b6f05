//! containerd on nodes that run containers: where it takes requests, and what is asked of it.

use std::path::Path;

/// Where it takes requests, in the node.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";

/// The command that makes the image in an archive known to a node's pods, given the program `ctr`. `-` is
/// standard input: a node has folders of its own, and may not see the archive's.
pub(crate) fn import(ctr: &Path, archive: &Path) -> Vec<String> {
    let archive = archive.display().to_string();
    images(ctr, ["import".to_owned(), archive])
}

/// The command that gives an image of a node's pods another name.
pub(crate) fn tag(ctr: &Path, from: &str, to: &str) -> Vec<String> {
    images(ctr, ["tag", "--force", from, to].map(str::to_owned))
}

fn images(ctr: &Path, command: impl IntoIterator<Item = String>) -> Vec<String> {
    let ctr = ctr.display().to_string();
    let of_pods = ["--address", SOCKET, "--namespace", "k8s.io", "images"];
    let words = of_pods.into_iter().map(str::to_owned);
    std::iter::once(ctr).chain(words).chain(command).collect()
}
