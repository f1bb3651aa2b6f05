//! What a class asks of pods beside bound ones, from flags.

use clap::Args;
use podid_core::class::NeighbourScope;
use podid_core::net_raw::NetRaw;
use podid_crds::podid::Neighbours;

use super::values::{choice, net_raw};

/// `--neighbours` and its scope.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct NeighbourArgs {
    /// What becomes of a pod beside bound ones, bound or not, that keeps NET_RAW or breaks the rest of the rule behind
    /// a profile's netRaw: it is refused (Enforce), or warned of (Audit; begin with it). Without this, and with Ignore,
    /// nothing is asked but what --allow-host-namespaces is about
    #[arg(
        long, ignore_case = true, value_name = "RULE",
        value_parser = net_raw()
    )]
    neighbours: Option<NetRaw>,

    /// Which pods are beside bound ones: those of namespaces that may use the class (Namespaces), or of all namespaces
    /// (Nodes) [default: Namespaces]
    #[arg(
        long, ignore_case = true, value_name = "SCOPE", requires = "neighbours",
        value_parser = choice::<NeighbourScope>(&["Namespaces", "Nodes"])
    )]
    neighbours_scope: Option<NeighbourScope>,
}

impl NeighbourArgs {
    /// The field of a class's spec.
    pub(crate) fn field(self) -> Option<Neighbours> {
        let rule = self.neighbours?;
        let scope = self.neighbours_scope.unwrap_or_default();
        Some(Neighbours {
            rule,
            scope,
            except_namespaces: None,
            except_nodes: None,
        })
    }
}
