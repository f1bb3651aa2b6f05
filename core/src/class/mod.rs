//! Classes: the facts and limits of an environment.

pub mod azure;
mod check;
mod spec;
mod violation;

pub use check::check_class;
pub use spec::{
    AccessLimit, Class, Cloud, IdentityOperatorGrant, Limits, MachineContributorGrant, NodeGrants,
};
pub use violation::{FixedBy, Violation};
