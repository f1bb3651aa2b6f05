//! Every kind of call, as a word for metrics and as the beginning of a sentence.

use std::fmt;

/// Every kind of call this crate makes; a closed set, fit for a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Identities::get`](crate::Identities::get)
    GetIdentity,
    /// [`Identities::put`](crate::Identities::put)
    PutIdentity,
    /// [`Identities::delete`](crate::Identities::delete)
    DeleteIdentity,
    /// [`Identities::list_by_group`](crate::Identities::list_by_group)
    ListIdentities,
    /// [`RoleAssignments::list_for_principal`](crate::RoleAssignments::list_for_principal)
    ListRoleAssignments,
    /// [`RoleAssignments::put`](crate::RoleAssignments::put)
    PutRoleAssignment,
    /// [`RoleAssignments::delete`](crate::RoleAssignments::delete)
    DeleteRoleAssignment,
    /// [`RoleAssignments::role_definition_by_name`](crate::RoleAssignments::role_definition_by_name)
    FindRoleDefinition,
    /// [`Subscriptions::get`](crate::Subscriptions::get)
    GetSubscription,
    /// [`Subscriptions::locations`](crate::Subscriptions::locations)
    ListLocations,
    /// [`Subscriptions::group`](crate::Subscriptions::group)
    GetResourceGroup,
    /// [`Compute::get_identity`](crate::Compute::get_identity)
    GetComputeIdentity,
    /// [`Compute::patch_identity`](crate::Compute::patch_identity)
    PatchComputeIdentity,
    /// [`Credential::token`](crate::Credential::token)
    GetToken,
}

impl Operation {
    /// Value of a metric's label, in snake_case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GetIdentity => "get_identity",
            Self::PutIdentity => "put_identity",
            Self::DeleteIdentity => "delete_identity",
            Self::ListIdentities => "list_identities",
            Self::ListRoleAssignments => "list_role_assignments",
            Self::PutRoleAssignment => "put_role_assignment",
            Self::DeleteRoleAssignment => "delete_role_assignment",
            Self::FindRoleDefinition => "find_role_definition",
            Self::GetSubscription => "get_subscription",
            Self::ListLocations => "list_locations",
            Self::GetResourceGroup => "get_resource_group",
            Self::GetComputeIdentity => "get_compute_identity",
            Self::PatchComputeIdentity => "patch_compute_identity",
            Self::GetToken => "get_token",
        }
    }
}

impl fmt::Display for Operation {
    /// The beginning of a message for people; the resource follows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GetIdentity => "reading identity",
            Self::PutIdentity => "writing identity",
            Self::DeleteIdentity => "deleting identity",
            Self::ListIdentities => "listing identities in",
            Self::ListRoleAssignments => "listing role assignments on",
            Self::PutRoleAssignment => "creating a role assignment on",
            Self::DeleteRoleAssignment => "deleting role assignment",
            Self::FindRoleDefinition => "looking up a role on",
            Self::GetSubscription => "reading subscription",
            Self::ListLocations => "listing the regions of",
            Self::GetResourceGroup => "reading resource group",
            Self::GetComputeIdentity => "reading the identities of",
            Self::PatchComputeIdentity => "changing the identities of",
            Self::GetToken => "asking for a token with",
        })
    }
}
