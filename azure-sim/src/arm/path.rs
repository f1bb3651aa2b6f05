//! ARM's paths: from the segments of a path to the kind of resource it names. Letter case of the
//! fixed segments does not matter.

use super::kind::{Container, Kind};
use crate::ids::{ResourceId, SCALE_SETS, USER_ASSIGNED_IDENTITIES, VIRTUAL_MACHINES};

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// The kind of resource that a path names, given its segments.
pub(super) fn kind(parts: &[&str]) -> Kind {
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

/// Parses `subscriptions/{s}` with or without `resourceGroups/{g}`.
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
    let container = container(scope)?;
    Some(ResourceId::new(
        &container.subscription,
        &container.group?,
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
        [_, name] => in_group(scope, USER_ASSIGNED_IDENTITIES, name).map(Kind::Identity),
        [_, name, f] if same(f, "federatedIdentityCredentials") => {
            in_group(scope, USER_ASSIGNED_IDENTITIES, name).map(Kind::FederatedOf)
        }
        [_, name, f, credential] if same(f, "federatedIdentityCredentials") => {
            Some(Kind::Federated(
                in_group(scope, USER_ASSIGNED_IDENTITIES, name)?,
                credential.into(),
            ))
        }
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
        [VIRTUAL_MACHINES, SCALE_SETS]
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
        [t] => Some(Kind::ComputeList(container(scope)?, typ(t)?)),
        [t, name] => in_group(scope, typ(t)?, name).map(Kind::Compute),
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
