//! The command line of the demo.

use std::path::PathBuf;

use clap::Parser;

/// Does podid's main job before your eyes.
///
/// A git commit becomes a token in a pod: real Kubernetes and Flux, a simulated Azure, real Azure
/// SDKs. Needs Linux and root, because nodes and pods are network namespaces.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask demo",
    bin_name = "cargo xtask demo",
    max_term_width = 100
)]
pub(crate) struct Options {
    /// Stop before the commit is reverted, and leave the lab up with the profile, its identity and
    /// its pods, to look around.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Name of the lab.
    #[arg(long, default_value = "demo", value_name = "NAME")]
    pub(crate) name: String,
    /// How pods are linked to their node.
    #[arg(long, default_value = "bridge", value_name = "bridge|routed")]
    pub(crate) network: podid_lab::Network,
    /// What does a kubelet's part: a `kubelet` with containers, or a `stand-in`. Without this flag a
    /// kubelet where this machine can run one, and the demo says why where not.
    #[arg(long, value_enum)]
    pub(crate) node_agent: Option<podid_lab::NodeAgent>,
    /// Write what was done, how long it took and whether it was as said, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}
