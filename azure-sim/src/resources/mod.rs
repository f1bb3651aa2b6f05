//! The resources as the simulator keeps them: those of the seed with defaults filled in, and the
//! changes that requests have made.

mod compute;
mod containers;
mod directory;
mod roles;

pub(crate) use compute::{
    AssignedIdentity, AsyncOperation, ComputeKind, ComputeResource, IdentityBlock, SystemIdentity,
    Vm,
};
pub(crate) use containers::{DataStore, Group};
pub(crate) use directory::{App, Client, Federated, Identity};
pub(crate) use roles::{Assignment, Definition, Plane, built_in_roles};
