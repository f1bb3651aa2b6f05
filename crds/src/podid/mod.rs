//! `podid.dev/v1alpha1`: what an application team and a platform team write.

mod class;
mod profile;
mod profile_status;

pub use class::{
    AccessLimit, BreakingNeighbour, ClassLimits, ClassNodes, NamedScope, NamespaceLimit,
    Neighbours, NodeGrants, PodIdentityClass, PodIdentityClassSpec, PodIdentityClassStatus,
};
pub use profile::{
    AccessRule, BindingSpec, IdentitySpec, PodIdentityProfile, PodIdentityProfileSpec,
};
pub use profile_status::{
    BindingStatus, IdentityStatus, PodIdentityProfileStatus, RefusedPodStatus, RoleAssignmentStatus,
};
