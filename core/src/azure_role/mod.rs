//! The rights in Azure that the operator needs for a class: custom roles that allow no more than its calls take, where
//! each is to be assigned, and the condition that limits which roles it may grant.

mod condition;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use crate::arm::ArmId;
use crate::class::{Class, IdentityOperatorGrant, MachineContributorGrant};
use crate::role::{MANAGED_IDENTITY_OPERATOR, Role, VIRTUAL_MACHINE_CONTRIBUTOR};

pub use condition::{CONDITION_TEMPLATE, PLACE_OF_ROLES, condition};

/// A custom role of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorRole {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it allows. Each is taken by a call of the operator.
    pub actions: &'static [&'static str],
}

/// On a subscription: to confirm what classes say of it.
pub const CLASSES: OperatorRole = OperatorRole {
    name: "podid classes",
    description: "Lets the operator of podid confirm what classes say of a subscription.",
    actions: &[
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Resources/subscriptions/locations/read",
        "Microsoft.Authorization/roleDefinitions/read",
    ],
};

/// On the group of the identities.
pub const IDENTITIES: OperatorRole = OperatorRole {
    name: "podid identities",
    description: "Lets the operator of podid make and delete identities in a resource group, and put them on VMs and scale sets.",
    actions: &[
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/write",
        "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    ],
};

/// On the group of the nodes.
pub const NODES: OperatorRole = OperatorRole {
    name: "podid nodes",
    description: "Lets the operator of podid change which identities the VMs and scale sets of a resource group have.",
    actions: &[
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/write",
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "Microsoft.Compute/virtualMachineScaleSets/write",
    ],
};

/// Where roles are granted, with a [`condition`].
pub const GRANTS: OperatorRole = OperatorRole {
    name: "podid grants",
    description: "Lets the operator of podid grant roles. Assign it with the condition that `podid azure-role` prints.",
    actions: &[
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleAssignments/delete",
    ],
};

/// All of them.
pub const ROLES: [OperatorRole; 4] = [CLASSES, IDENTITIES, NODES, GRANTS];

/// A custom role as `az role definition create` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleDefinition {
    name: &'static str,
    is_custom: bool,
    description: &'static str,
    actions: &'static [&'static str],
    not_actions: [&'static str; 0],
    data_actions: [&'static str; 0],
    not_data_actions: [&'static str; 0],
    assignable_scopes: Vec<ArmId>,
}

impl OperatorRole {
    /// Its definition for these subscriptions.
    #[must_use]
    pub fn definition(self, subscriptions: impl IntoIterator<Item = ArmId>) -> RoleDefinition {
        RoleDefinition {
            name: self.name,
            is_custom: true,
            description: self.description,
            actions: self.actions,
            not_actions: [],
            data_actions: [],
            not_data_actions: [],
            assignable_scopes: subscriptions.into_iter().collect(),
        }
    }
}

/// One role that the operator's identity is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorAssignment {
    /// Name of the role.
    pub role: &'static str,
    /// Where it holds.
    pub scope: ArmId,
    /// Which roles it may grant there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// What the operator's identity is to have for some classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorAccess {
    /// The custom roles to make.
    pub definitions: Vec<RoleDefinition>,
    /// The roles to assign.
    pub assignments: Vec<OperatorAssignment>,
}

/// A role of a class that a condition cannot name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "limits.access[{index}].role of class {class}: only Azure knows the role {role:?} by name, and a condition names \
     roles by id; write its id, which `az role definition list --name {role:?}` prints"
)]
pub struct RoleWithoutId {
    class: String,
    index: usize,
    role: String,
}

/// What the operator needs for these classes, and nothing more.
///
/// # Errors
/// A class names a role that cannot be in a condition.
pub fn access_for(classes: &[Class]) -> Result<OperatorAccess, RoleWithoutId> {
    let mut assignments = BTreeMap::new();
    let mut grants: BTreeMap<ArmId, BTreeSet<Uuid>> = BTreeMap::new();
    for class in classes {
        assignments.extend(unconditional(class).map(|(role, scope)| ((role, scope), None)));
        for (role, scope) in granted(class)? {
            grants.entry(scope).or_default().insert(role);
        }
    }
    let grants = grants
        .into_iter()
        .map(|(scope, roles)| ((GRANTS.name, scope), Some(condition(&roles))));
    assignments.extend(grants);
    let assignments = assignments.into_iter();
    let assignments: Vec<OperatorAssignment> = assignments
        .map(|((role, scope), condition)| OperatorAssignment {
            role,
            scope,
            condition,
        })
        .collect();
    let definitions = ROLES
        .iter()
        .filter_map(|role| definition(*role, &assignments));
    Ok(OperatorAccess {
        definitions: definitions.collect(),
        assignments,
    })
}

/// The definition of a role that is assigned anywhere, for the subscriptions in which it is.
fn definition(role: OperatorRole, assignments: &[OperatorAssignment]) -> Option<RoleDefinition> {
    let of_role = assignments.iter().filter(|one| one.role == role.name);
    let subscriptions = of_role.filter_map(|one| one.scope.subscription());
    let subscriptions: BTreeSet<ArmId> = subscriptions.map(ArmId::of_subscription).collect();
    (!subscriptions.is_empty()).then(|| role.definition(subscriptions))
}

fn unconditional(class: &Class) -> impl Iterator<Item = (&'static str, ArmId)> {
    let adopted = class.limits.identity_groups.iter();
    let adopted = adopted.map(|group| (MANAGED_IDENTITY_OPERATOR, group.clone()));
    let own = [
        (CLASSES.name, class.subscription()),
        (IDENTITIES.name, class.group_id()),
        (NODES.name, class.node_group_id()),
    ];
    own.into_iter().chain(adopted)
}

/// The roles that the operator grants for a class, each where.
fn granted(class: &Class) -> Result<BTreeSet<(Uuid, ArmId)>, RoleWithoutId> {
    let mut granted = BTreeSet::new();
    for (index, limit) in class.limits.access.iter().enumerate() {
        let Some(role) = Role::parse(&limit.role).id() else {
            return Err(RoleWithoutId {
                class: class.name.clone(),
                index,
                role: limit.role.clone(),
            });
        };
        granted.extend(limit.scopes.iter().map(|scope| (role, scope.clone())));
    }
    let node_grants = class.node_grants.as_ref();
    let on_identities =
        node_grants.map_or_else(Vec::new, |grants| match grants.identity_operator {
            IdentityOperatorGrant::Identity => {
                let adopted = class.limits.identity_groups.iter().cloned();
                [class.group_id()].into_iter().chain(adopted).collect()
            }
            IdentityOperatorGrant::ResourceGroup => vec![class.group_id()],
            IdentityOperatorGrant::Subscription => vec![class.subscription()],
            IdentityOperatorGrant::None => Vec::new(),
        });
    let operator = Role::parse(MANAGED_IDENTITY_OPERATOR).id();
    granted.extend(
        operator
            .into_iter()
            .flat_map(|role| on_identities.iter().map(move |at| (role, at.clone()))),
    );
    let contributor = Role::parse(VIRTUAL_MACHINE_CONTRIBUTOR).id();
    let on_nodes = node_grants
        .filter(|grants| grants.machine_contributor != MachineContributorGrant::None)
        .and(contributor);
    granted.extend(on_nodes.map(|role| (role, class.node_group_id())));
    Ok(granted)
}

#[cfg(test)]
mod tests;
