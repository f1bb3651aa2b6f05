//! The kinds of resource that ARM paths name.

use crate::ids::ResourceId;

/// A subscription, or a resource group in one.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) subscription: String,
    pub(crate) group: Option<String>,
}

impl Container {
    /// The id of the subscription or group.
    pub(super) fn scope(&self) -> String {
        let subscription = &self.subscription;
        match &self.group {
            Some(group) => format!("/subscriptions/{subscription}/resourceGroups/{group}"),
            None => format!("/subscriptions/{subscription}"),
        }
    }
}

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Identity(ResourceId),
    /// List of identities.
    Identities(Container),
    SystemIdentity {
        scope: String,
    },
    /// A federated credential by its name, of an identity.
    Federated(ResourceId, String),
    /// List of an identity's federated credentials.
    FederatedOf(ResourceId),
    RoleDefinition {
        scope: String,
        id: String,
    },
    RoleDefinitions {
        scope: String,
    },
    RoleAssignment {
        scope: String,
        name: String,
    },
    RoleAssignments {
        scope: String,
    },
    /// A VM or scale set.
    Compute(ResourceId),
    /// List of the VMs or scale sets of a resource type.
    ComputeList(Container, &'static str),
    /// `manualupgrade` of a scale set.
    Upgrade(ResourceId),
    /// An instance by its id, of a scale set.
    Instance(ResourceId, String),
    /// List of a scale set's instances.
    Instances(ResourceId),
    Operation {
        subscription: String,
        id: String,
    },
    Subscription(String),
    Subscriptions,
    /// List of a subscription's regions.
    Locations(String),
    Group(Container),
    /// List of a subscription's resource groups.
    Groups(String),
    /// A resource that is not simulated, by its type.
    Unknown(String),
}

impl Kind {
    /// The subscription that the path names or is in.
    pub(crate) fn subscription(&self) -> Option<String> {
        match self {
            Self::Identity(id)
            | Self::Federated(id, _)
            | Self::FederatedOf(id)
            | Self::Compute(id)
            | Self::Upgrade(id)
            | Self::Instance(id, _)
            | Self::Instances(id) => Some(id.subscription.clone()),
            Self::Identities(place) | Self::ComputeList(place, _) | Self::Group(place) => {
                Some(place.subscription.clone())
            }
            Self::SystemIdentity { scope }
            | Self::RoleDefinition { scope, .. }
            | Self::RoleDefinitions { scope }
            | Self::RoleAssignment { scope, .. }
            | Self::RoleAssignments { scope } => subscription_of(scope),
            Self::Operation { subscription, .. } => Some(subscription.clone()),
            Self::Subscription(id) | Self::Locations(id) | Self::Groups(id) => Some(id.clone()),
            Self::Subscriptions | Self::Unknown(_) => None,
        }
    }
}

/// The subscription that a scope is or is in.
pub(super) fn subscription_of(scope: &str) -> Option<String> {
    let mut parts = scope.split('/').filter(|s| !s.is_empty());
    let first = parts.next()?;
    first
        .eq_ignore_ascii_case("subscriptions")
        .then(|| parts.next().map(Into::into))
        .flatten()
}
