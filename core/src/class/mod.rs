//! Classes: the facts and limits of an environment.
//!
//! | file | holds |
//! |---|---|
//! | `spec` | the fields of a class |
//! | `check` | what is wrong with it, independent of the operator and of Azure |
//! | `operator` | whether this operator can serve it |
//! | `confirm` | when Azure is asked about it, and whether profiles may use it |
//! | `comparison` | when it need not be compared with Azure again |
//! | `azure` | what Azure is asked, and the outcome for each set of answers |
//! | `neighbours` | what it asks of pods that share a network with bound ones |
//! | `host_namespaces` | whose pods it keeps out of the namespaces of their node |
//! | `violation` | one field that the rules do not allow |

pub mod azure;
mod check;
mod comparison;
mod confirm;
mod host_namespaces;
mod neighbours;
mod operator;
mod spec;
mod violation;

pub use check::check_class;
pub use comparison::{ClassComparison, ClassVersion};
pub use confirm::{ClassAction, Usability, class_action, rests_for_interval};
pub use neighbours::{NEIGHBOURS_READY, Neighbour};
pub use operator::OperatorEnvironment;
pub use spec::{
    AccessLimit, Class, Cloud, IdentityOperatorGrant, Limits, MachineContributorGrant, NamedScope,
    NeighbourScope, Neighbours, NodeGrants, OnNarrowing,
};
pub use violation::{FixedBy, Violation};
