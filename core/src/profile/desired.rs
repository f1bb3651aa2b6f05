//! The desired state of an admitted profile, with the facts of its class filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::arm::ArmId;
use crate::backend::Backend;
use crate::net_raw::NetRaw;
use crate::owner::Owner;
use crate::profile::{CreationPolicy, DeletionPolicy, Drift};
use crate::role::Role;

/// The desired state of an admitted profile. Only [`admit`](crate::profile::admit::admit) makes one, so that
/// nothing beyond the limits of a class is ever planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Desired {
    /// The profile.
    pub owner: Owner,
    /// Tenant in which the identity must live.
    pub tenant_id: String,
    /// The identity.
    pub identity: DesiredIdentity,
    /// Every role to grant, to the identity and to the kubelet identity.
    pub grants: Vec<Grant>,
    /// The pods.
    pub binding: DesiredBinding,
    /// How pods get tokens.
    pub backend: Backend,
    /// See [`NetRaw`].
    pub net_raw: NetRaw,
    /// See [`Drift`].
    pub drift: Drift,
    /// See [`DeletionPolicy`].
    pub deletion_policy: DeletionPolicy,
}

/// The identity an admitted profile wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DesiredIdentity {
    /// Its ARM id.
    pub id: ArmId,
    /// Region in which it is created.
    pub location: String,
    /// The author's tags and those that mark the owner.
    pub tags: BTreeMap<String, String>,
    /// See [`CreationPolicy`].
    pub creation: CreationPolicy,
    /// Whether its class lets profiles of other namespaces adopt it too.
    pub shared: bool,
}

/// The binding an admitted profile wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DesiredBinding {
    /// Value of the pod label `aadpodidbinding`.
    pub selector: String,
    /// Service accounts that narrow the binding; empty: any.
    pub service_accounts: BTreeSet<String>,
}

/// One role at one scope, for one of two principals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: ArmId,
    /// Who gets it.
    pub to: Grantee,
    /// Whether it serves all profiles of the class, and not this one alone.
    pub shared: bool,
    /// Field that asks for it.
    pub field: String,
}

/// Who gets a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Grantee {
    /// The profile's identity, whose object id is known once it exists.
    Identity,
    /// The kubelet identity, by its object id, a GUID.
    Kubelet(String),
}
