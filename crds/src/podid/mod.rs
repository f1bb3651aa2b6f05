//! `podid.dev/v1alpha1`: what an application team and a platform team write.

mod class;
mod profile;

pub use class::{
    AccessLimit, ClassLimits, NamespaceLimit, NodeGrants, PodIdentityClass, PodIdentityClassSpec,
    PodIdentityClassStatus,
};
pub use profile::{
    AccessRule, BindingSpec, BindingStatus, IdentitySpec, IdentityStatus, PodIdentityProfile,
    PodIdentityProfileSpec, PodIdentityProfileStatus, RefusedPodStatus, RoleAssignmentStatus,
};
