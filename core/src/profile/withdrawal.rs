//! What a class takes away of a profile that exceeds it (`limits.onNarrowing: Revoke`).

use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::class::{AccessLimit, Class, OnNarrowing, Violation};
use crate::owner::Owner;
use crate::profile::admit::{admit, allows_role, excess, owner};
use crate::profile::desired::{Grant, Grantee};
use crate::profile::observed::{Observed, ProfileRecord};
use crate::profile::{Access, Profile};
use crate::role::Role;

/// What a class takes away of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawal {
    /// The profile.
    pub owner: Owner,
    /// Name of the class.
    pub class: String,
    /// What the class does not allow; never empty.
    pub violations: Vec<Violation>,
    /// How much is taken away.
    pub extent: WithdrawalExtent,
    /// The rights that the profile asks for and its class does not allow.
    pub refused: Vec<Access>,
    /// Whether pods must keep the `NET_RAW` rule from which the profile frees them.
    pub enforces_net_raw: bool,
    /// The rights that the class allows.
    pub allowed: Vec<AccessLimit>,
}

/// How much of a profile its class takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WithdrawalExtent {
    /// Roles that the class does not allow; its pods keep the identity.
    Roles,
    /// The identity from its pods, and all roles, because the class allows no part of the profile.
    Everything,
}

impl Withdrawal {
    /// What the class takes away of a profile for which `record` says what was made; `None` where it allows the
    /// profile, lets profiles keep what they have, or nothing was made. What an author has written wrong, and no class
    /// could allow, takes nothing away.
    #[must_use]
    pub fn of(profile: &Profile, class: &Class, record: &ProfileRecord) -> Option<Self> {
        let was_made = record.identity.is_some() || !record.role_assignments.is_empty();
        if class.limits.on_narrowing == OnNarrowing::Keep || !was_made {
            return None;
        }
        let violations = admit(profile, class).err()?;
        if !violations.iter().any(Violation::is_of_class) {
            return None;
        }
        let excess = excess(profile, class);
        // An edit that names an identity which the class does not allow leaves the profile the one that it has.
        let recorded = record.identity.as_ref().map(|it| &it.id);
        let has_refused_identity = excess.identity
            && profile
                .identity_id
                .as_ref()
                .is_some_and(|id| Some(id) == recorded);
        let has_no_place = excess.namespace || excess.backend || has_refused_identity;
        Some(Self {
            owner: owner(profile, class),
            class: class.name.clone(),
            violations,
            extent: match has_no_place {
                true => WithdrawalExtent::Everything,
                false => WithdrawalExtent::Roles,
            },
            refused: excess.access,
            enforces_net_raw: excess.net_raw,
            allowed: class.limits.access.clone(),
        })
    }

    /// The roles of the class that only Azure knows, each as if it were granted at the first of its scopes: their
    /// GUIDs must be known to tell which role assignments they allow.
    #[must_use]
    pub fn named_roles(&self) -> Vec<Grant> {
        let named = self
            .allowed
            .iter()
            .enumerate()
            .filter_map(|(index, limit)| {
                let role = Role::parse(&limit.role);
                let is_named = role.id().is_none();
                let scope = limit.scopes.first().filter(|_| is_named)?.clone();
                Some(Grant {
                    role,
                    scope,
                    to: Grantee::Identity,
                    shared: false,
                    field: format!("class.spec.limits.access[{index}]"),
                })
            });
        named.collect()
    }

    /// Whether the class allows the identity this role at this scope.
    #[must_use]
    pub fn allows(&self, role: &Role, scope: &ArmId, observed: &Observed) -> bool {
        let is_it = |limit: &AccessLimit| {
            allows_role(limit, role) || is_found_as(&Role::parse(&limit.role), role, observed)
        };
        let mut limits = self.allowed.iter().filter(|limit| is_it(limit));
        limits.any(|limit| limit.scopes.iter().any(|over| over.covers_plainly(scope)))
    }
}

/// Whether a role that the class has by a name is, by what Azure says of that name, this role.
fn is_found_as(named: &Role, role: &Role, observed: &Observed) -> bool {
    let Role::Named(name) = named else {
        return false;
    };
    let found = observed.roles.get(&name.to_ascii_lowercase());
    role.id().is_some() && found.copied().flatten() == role.id()
}

impl fmt::Display for Withdrawal {
    /// What the profile does not have any more and why. It says the same for as long as the profile exceeds its class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let violations: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        let (violations, class) = (violations.join(" | "), &self.class);
        write!(
            f,
            "{violations} | limits.onNarrowing of class {class} is Revoke, so podid has "
        )?;
        let mut taken = Vec::new();
        match self.extent {
            WithdrawalExtent::Everything => taken.push(
                "taken the identity from its pods, and revoked all roles that it granted for it; the identity \
                 itself stays in Azure"
                    .to_owned(),
            ),
            WithdrawalExtent::Roles if self.refused.is_empty() => {}
            WithdrawalExtent::Roles => {
                let roles: Vec<String> = self.refused.iter().map(right).collect();
                taken.push(format!(
                    "revoked what it granted the identity of {}",
                    roles.join(" and ")
                ));
            }
        }
        if self.enforces_net_raw && self.extent == WithdrawalExtent::Roles {
            taken.push(
                "set netRaw to Enforce, so that pods which break that rule get no identity"
                    .to_owned(),
            );
        }
        match taken.is_empty() {
            true => f.write_str("revoked every role that the class does not allow"),
            false => f.write_str(&taken.join(", and ")),
        }
    }
}

fn right(access: &Access) -> String {
    format!("{} on {}", access.role, access.scope)
}
