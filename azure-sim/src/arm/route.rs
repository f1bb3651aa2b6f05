//! ARM's paths.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::operation::Operation;
use crate::router::Named;
use crate::state::ids::{IDENTITIES, MACHINES, ResourceId, SCALE_SETS};
use crate::wire::Request;

/// A subscription, or a group in one.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) subscription: String,
    pub(crate) group: Option<String>,
}

/// What a path names. Letter case of the fixed words does not matter.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Identity(ResourceId),
    Identities(Container),
    SystemIdentity {
        scope: String,
    },
    Federated(ResourceId, String),
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
    Host(ResourceId),
    Hosts(Container, &'static str),
    Upgrade(ResourceId),
    Instance(ResourceId, String),
    Instances(ResourceId),
    Operation {
        subscription: String,
        id: String,
    },
    Subscription(String),
    Subscriptions,
    Locations(String),
    Group(Container),
    Groups(String),
    /// Nothing that is simulated; the type, for the error.
    Unknown(String),
}

/// A path, and what it names.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The path decoded and without doubled slashes.
    pub(crate) path: String,
    pub(crate) kind: Kind,
}

impl Route {
    pub(crate) fn of(request: &Request) -> Self {
        let path = percent_decode_str(&request.path)
            .decode_utf8_lossy()
            .into_owned();
        let parts: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        Self {
            path: format!("/{}", parts.join("/")),
            kind: kind(&parts),
        }
    }

    pub(crate) fn named(&self, method: &Method) -> Named {
        Named {
            operation: operation(&self.kind, method),
            resource: self.path.clone(),
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn kind(parts: &[&str]) -> Kind {
    match parts.iter().rposition(|p| same(p, "providers")) {
        Some(at) => provider_kind(&parts[..at], &parts[at + 1..]),
        None => container_kind(parts),
    }
}

fn container_kind(parts: &[&str]) -> Kind {
    match *parts {
        [s] if same(s, "subscriptions") => Kind::Subscriptions,
        [s, id] if same(s, "subscriptions") => Kind::Subscription(id.into()),
        [s, id, g] if same(s, "subscriptions") && same(g, "resourcegroups") => {
            Kind::Groups(id.into())
        }
        [s, id, l] if same(s, "subscriptions") && same(l, "locations") => {
            Kind::Locations(id.into())
        }
        _ => match container(parts) {
            Some(container) if container.group.is_some() => Kind::Group(container),
            _ => Kind::Unknown(parts.join("/")),
        },
    }
}

/// Reads `subscriptions/{s}` with or without `resourceGroups/{g}`.
fn container(parts: &[&str]) -> Option<Container> {
    let (subscription, group) = match *parts {
        [s, id] if same(s, "subscriptions") => (id, None),
        [s, id, g, name] if same(s, "subscriptions") && same(g, "resourcegroups") => {
            (id, Some(name))
        }
        _ => return None,
    };
    Some(Container {
        subscription: subscription.into(),
        group: group.map(Into::into),
    })
}

fn provider_kind(scope: &[&str], tail: &[&str]) -> Kind {
    let Some((namespace, rest)) = tail.split_first() else {
        return Kind::Unknown(String::new());
    };
    let found = match namespace.to_lowercase().as_str() {
        "microsoft.managedidentity" => identity_kind(scope, rest),
        "microsoft.authorization" => access_kind(scope, rest),
        "microsoft.compute" => compute_kind(scope, rest),
        _ => None,
    };
    let typ = rest
        .iter()
        .step_by(2)
        .copied()
        .collect::<Vec<_>>()
        .join("/");
    found.unwrap_or_else(|| Kind::Unknown(format!("{namespace}/{typ}")))
}

fn in_group(scope: &[&str], kind: &'static str, name: &str) -> Option<ResourceId> {
    let place = container(scope)?;
    Some(ResourceId::new(
        &place.subscription,
        &place.group?,
        kind,
        name,
    ))
}

fn identity_kind(scope: &[&str], rest: &[&str]) -> Option<Kind> {
    match *rest {
        [t, "default"] if same(t, "identities") => Some(Kind::SystemIdentity {
            scope: format!("/{}", scope.join("/")),
        }),
        [t, ..] if !same(t, "userAssignedIdentities") => None,
        [_] => container(scope).map(Kind::Identities),
        [_, name] => in_group(scope, IDENTITIES, name).map(Kind::Identity),
        [_, name, f] if same(f, "federatedIdentityCredentials") => {
            in_group(scope, IDENTITIES, name).map(Kind::FederatedOf)
        }
        [_, name, f, credential] if same(f, "federatedIdentityCredentials") => Some(
            Kind::Federated(in_group(scope, IDENTITIES, name)?, credential.into()),
        ),
        _ => None,
    }
}

fn access_kind(scope: &[&str], rest: &[&str]) -> Option<Kind> {
    let scope = format!("/{}", scope.join("/"));
    match *rest {
        [t] if same(t, "roleDefinitions") => Some(Kind::RoleDefinitions { scope }),
        [t, id] if same(t, "roleDefinitions") => Some(Kind::RoleDefinition {
            scope,
            id: id.into(),
        }),
        [t] if same(t, "roleAssignments") => Some(Kind::RoleAssignments { scope }),
        [t, name] if same(t, "roleAssignments") => Some(Kind::RoleAssignment {
            scope,
            name: name.into(),
        }),
        _ => None,
    }
}

fn compute_kind(scope: &[&str], rest: &[&str]) -> Option<Kind> {
    let typ = |t: &str| {
        [MACHINES, SCALE_SETS]
            .into_iter()
            .find(|k| k.rsplit('/').next().is_some_and(|last| same(last, t)))
    };
    match *rest {
        [l, _, o, id] if same(l, "locations") && same(o, "operations") => {
            let subscription = container(scope)?.subscription;
            Some(Kind::Operation {
                subscription,
                id: id.into(),
            })
        }
        [t] => Some(Kind::Hosts(container(scope)?, typ(t)?)),
        [t, name] => in_group(scope, typ(t)?, name).map(Kind::Host),
        [t, name, part] if typ(t) == Some(SCALE_SETS) => {
            let set = in_group(scope, SCALE_SETS, name)?;
            match part.to_lowercase().as_str() {
                "manualupgrade" => Some(Kind::Upgrade(set)),
                "virtualmachines" => Some(Kind::Instances(set)),
                _ => None,
            }
        }
        [t, name, part, id] if typ(t) == Some(SCALE_SETS) && same(part, "virtualMachines") => Some(
            Kind::Instance(in_group(scope, SCALE_SETS, name)?, id.into()),
        ),
        _ => None,
    }
}

fn operation(kind: &Kind, method: &Method) -> Operation {
    use Operation as Op;
    let machine = |id: &ResourceId| id.kind == MACHINES;
    match (kind, method.as_str()) {
        (Kind::Identity(_), "GET") => Op::IdentityGet,
        (Kind::Identity(_), "PUT") => Op::IdentityPut,
        (Kind::Identity(_), "PATCH") => Op::IdentityPatch,
        (Kind::Identity(_), "DELETE") => Op::IdentityDelete,
        (Kind::Identities(_), "GET") => Op::IdentityList,
        (Kind::SystemIdentity { .. }, "GET") => Op::SystemIdentityGet,
        (Kind::Federated(..), "GET") => Op::FederatedGet,
        (Kind::Federated(..), "PUT") => Op::FederatedPut,
        (Kind::Federated(..), "DELETE") => Op::FederatedDelete,
        (Kind::FederatedOf(_), "GET") => Op::FederatedList,
        (Kind::RoleDefinition { .. }, "GET") => Op::RoleDefinitionGet,
        (Kind::RoleDefinitions { .. }, "GET") => Op::RoleDefinitionList,
        (Kind::RoleAssignment { .. }, "GET") => Op::RoleAssignmentGet,
        (Kind::RoleAssignment { .. }, "PUT") => Op::RoleAssignmentPut,
        (Kind::RoleAssignment { .. }, "DELETE") => Op::RoleAssignmentDelete,
        (Kind::RoleAssignments { .. }, "GET") => Op::RoleAssignmentList,
        (Kind::Host(id), "GET") if machine(id) => Op::VmGet,
        (Kind::Host(id), "PUT") if machine(id) => Op::VmPut,
        (Kind::Host(id), "PATCH") if machine(id) => Op::VmPatch,
        (Kind::Host(_), "GET") => Op::VmssGet,
        (Kind::Host(_), "PUT") => Op::VmssPut,
        (Kind::Host(_), "PATCH") => Op::VmssPatch,
        (Kind::Hosts(_, MACHINES), "GET") => Op::VmList,
        (Kind::Hosts(..), "GET") => Op::VmssList,
        (Kind::Upgrade(_), "POST") => Op::VmssUpgrade,
        (Kind::Instance(..), "GET") => Op::VmssInstanceGet,
        (Kind::Instances(_), "GET") => Op::VmssInstanceList,
        (Kind::Operation { .. }, "GET") => Op::OperationGet,
        (Kind::Subscription(_), "GET") => Op::SubscriptionGet,
        (Kind::Subscriptions, "GET") => Op::SubscriptionList,
        (Kind::Locations(_), "GET") => Op::LocationList,
        (Kind::Group(_), "GET") => Op::GroupGet,
        (Kind::Groups(_), "GET") => Op::GroupList,
        _ => Op::ArmOther,
    }
}

impl Kind {
    /// The subscription the path is in.
    pub(crate) fn subscription(&self) -> Option<String> {
        match self {
            Self::Identity(id)
            | Self::Federated(id, _)
            | Self::FederatedOf(id)
            | Self::Host(id)
            | Self::Upgrade(id)
            | Self::Instance(id, _)
            | Self::Instances(id) => Some(id.subscription.clone()),
            Self::Identities(place) | Self::Hosts(place, _) | Self::Group(place) => {
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

/// The subscription a scope is in or is.
pub(super) fn subscription_of(scope: &str) -> Option<String> {
    let mut parts = scope.split('/').filter(|s| !s.is_empty());
    let first = parts.next()?;
    first
        .eq_ignore_ascii_case("subscriptions")
        .then(|| parts.next().map(Into::into))
        .flatten()
}
