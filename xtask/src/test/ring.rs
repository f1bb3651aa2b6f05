//! The rings of tests, by name.

use clap::ValueEnum;

/// A ring of tests, from the quickest to the most real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ring {
    /// Pure rules, and every part by itself.
    Unit,
    /// `azure` against the simulator, and the simulator against Azure's own SDKs; the chart against the overlays.
    Contract,
    /// The lab, the kernel's rules and the node daemon, in network namespaces. Needs root.
    Node,
    /// Kinds, policies and the operator on a real API server. Needs root.
    Cluster,
    /// The container images, and nodes that run containers. Needs root and a C compiler.
    Install,
    /// podid installed on such nodes by Flux with Helm, by Flux with kustomize, and by Helm. Needs root and a C compiler.
    Gitops,
    /// The whole path, as the demo walks it. Needs root and a C compiler.
    Scenario,
}
