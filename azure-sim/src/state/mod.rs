//! The cloud as it is now. One value behind one lock; services read and change it, and everything
//! else (HTTP, time, faults) stays outside.

mod access;
mod compute;
mod directory;
pub(crate) mod ids;
mod load;

use std::collections::BTreeMap;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

pub(crate) use access::{Assignment, Definition, Plane};
pub(crate) use compute::{
    Attached, Change, Host, HostKind, IdentityBlock, Machine, SystemIdentity,
};
pub(crate) use directory::{App, Client, Federated, Identity};

use crate::tokens::Minted;
use crate::world::{Issuer, StorageAccount, Vault, World, WorldError};
use ids::ResourceId;

/// A resource group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) subscription: String,
    pub(crate) name: String,
    pub(crate) location: String,
}

/// A vault or storage account, and where it lives.
#[derive(Clone, Debug)]
pub(crate) struct Store<T> {
    pub(crate) id: ResourceId,
    pub(crate) location: String,
    pub(crate) content: T,
}

/// Everything there is. Maps are keyed by folded id unless they say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) tenant: String,
    pub(crate) location: String,
    pub(crate) born: Instant,
    /// Ids by folded id.
    pub(crate) subscriptions: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) identities: BTreeMap<String, Identity>,
    pub(crate) hosts: BTreeMap<String, Host>,
    /// By operation id.
    pub(crate) changes: BTreeMap<String, Change>,
    /// By folded name.
    pub(crate) vaults: BTreeMap<String, Store<Vault>>,
    /// By folded name.
    pub(crate) accounts: BTreeMap<String, Store<StorageAccount>>,
    /// By folded name.
    pub(crate) apps: BTreeMap<String, App>,
    /// By GUID.
    pub(crate) definitions: BTreeMap<String, Definition>,
    /// By folded GUID: names are unique in the tenant.
    pub(crate) assignments: BTreeMap<String, Assignment>,
    /// By issuer, exactly.
    pub(crate) issuers: BTreeMap<String, Issuer>,
    /// Audiences beyond the well-known.
    pub(crate) audiences: Vec<String>,
    /// Tokens IMDS has given out, by machine, identity and resource.
    pub(crate) imds_tokens: BTreeMap<(String, String, String), Minted>,
    chance: StdRng,
}

impl State {
    /// The state a world begins with.
    pub(crate) fn new(world: &World, seed: u64) -> Result<Self, WorldError> {
        let mut state = Self {
            tenant: world.tenant_id.to_lowercase(),
            location: world.location.clone(),
            born: Instant::now(),
            subscriptions: BTreeMap::new(),
            groups: BTreeMap::new(),
            identities: BTreeMap::new(),
            hosts: BTreeMap::new(),
            changes: BTreeMap::new(),
            vaults: BTreeMap::new(),
            accounts: BTreeMap::new(),
            apps: BTreeMap::new(),
            definitions: BTreeMap::new(),
            assignments: BTreeMap::new(),
            issuers: BTreeMap::new(),
            audiences: Vec::new(),
            imds_tokens: BTreeMap::new(),
            chance: StdRng::seed_from_u64(seed),
        };
        state.add_built_in_roles()?;
        state.merge(world)?;
        Ok(state)
    }

    /// A fresh random GUID.
    pub(crate) fn guid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.chance.random())
            .into_uuid()
            .to_string()
    }

    /// A number of the half-open range, by chance.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        self.chance.random_range(low..high)
    }

    /// The state for people and tests: identities, assignments, and what is on which machine.
    /// Nothing secret is in it.
    pub(crate) fn summary(&self) -> Value {
        let (machines, sets): (Vec<_>, Vec<_>) = self.hosts.values().partition(|h| h.is_machine());
        json!({
            "tenantId": self.tenant,
            "subscriptions": self.subscriptions.values().collect::<Vec<_>>(),
            "identities": self.identities.values().map(summary_of_identity).collect::<Vec<_>>(),
            "applications": self.apps.values().map(|a| json!({
                "name": a.registered.name, "clientId": a.client_id, "objectId": a.object_id,
                "federatedCredentials": a.registered.federated_credentials,
            })).collect::<Vec<_>>(),
            "roleAssignments": self.assignments.values().map(|a| json!({
                "name": a.name,
                "scope": a.scope,
                "role": self.definitions.get(&a.role).map_or(a.role.as_str(), |d| &d.role.role_name),
                "principalId": a.principal_id,
            })).collect::<Vec<_>>(),
            "virtualMachines": machines.into_iter().map(summary_of_host).collect::<Vec<_>>(),
            "scaleSets": sets.into_iter().map(|h| self.summary_of_set(h)).collect::<Vec<_>>(),
        })
    }

    fn summary_of_set(&self, set: &Host) -> Value {
        let mut summary = summary_of_host(set);
        let instances: Vec<_> = self.instances(set).into_iter().map(|m| m.id).collect();
        summary["instances"] = json!(instances);
        summary
    }
}

fn summary_of_identity(identity: &Identity) -> Value {
    json!({
        "id": identity.id.path(),
        "location": identity.location,
        "clientId": identity.client_id,
        "principalId": identity.principal_id,
        "tags": identity.tags,
        "federatedCredentials": identity.federated.values().map(|f| &f.credential).collect::<Vec<_>>(),
    })
}

fn summary_of_host(host: &Host) -> Value {
    json!({
        "id": host.id.path(),
        "provisioningState": host.provisioning_state(),
        "systemAssigned": host.block.system.is_some(),
        "userAssigned": host.block.users.values().map(|a| &a.id).collect::<Vec<_>>(),
    })
}
