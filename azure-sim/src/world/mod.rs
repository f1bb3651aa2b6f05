//! The pretend cloud as data: what exists before the first request.
//!
//! A [`World`] is read from JSON or YAML, sent to a running simulator (`POST /world`), or built in
//! code. Every field has a default, so a file names only what matters to it. A resource that does
//! not say where it lives is in the world's first subscription, in the group `podid`, in the
//! world's location; subscriptions and groups that are only mentioned exist too.

mod access;
mod compute;
mod directory;
mod storage;
mod strict;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use access::{Permission, RoleAssignment, RoleDefinition};
pub use compute::{Instance, Orchestration, ScaleSet, VirtualMachine, VmIdentity};
pub use directory::{Application, FederatedCredential, Identity, Issuer, Secret, Sensitive};
pub use storage::{Blob, StorageAccount, Vault};

/// The tenant of a world that names none.
pub const DEFAULT_TENANT: &str = "10000000-0000-4000-8000-000000000001";
/// The subscription of a world that names none.
pub const DEFAULT_SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
/// The resource group of a resource that names none.
pub const DEFAULT_GROUP: &str = "podid";
/// The region of a world that names none.
pub const DEFAULT_LOCATION: &str = "westeurope";

/// The content of a pretend cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct World {
    /// The one Entra tenant.
    pub tenant_id: String,
    /// Region of everything that does not name its own.
    pub location: String,
    /// Subscription ids. The first is the default of every resource.
    pub subscriptions: Vec<String>,
    /// Resource groups beyond those that resources mention.
    pub resource_groups: Vec<ResourceGroup>,
    /// Machines that are no part of a uniform scale set.
    pub virtual_machines: Vec<VirtualMachine>,
    /// Scale sets, uniform and flexible.
    pub scale_sets: Vec<ScaleSet>,
    /// Key vaults and their secrets.
    pub vaults: Vec<Vault>,
    /// Storage accounts and their containers.
    pub storage_accounts: Vec<StorageAccount>,
    /// App registrations with their service principals.
    pub applications: Vec<Application>,
    /// User-assigned identities that exist from the start.
    pub identities: Vec<Identity>,
    /// Who may do what from the start.
    pub role_assignments: Vec<RoleAssignment>,
    /// Custom roles; the built-in ones are always there.
    pub role_definitions: Vec<RoleDefinition>,
    /// How to reach the issuers of federated credentials, where their own address will not do.
    pub issuers: Vec<Issuer>,
    /// Audiences Entra issues tokens for, beyond the well-known Azure services.
    pub resources: Vec<String>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            tenant_id: DEFAULT_TENANT.into(),
            location: DEFAULT_LOCATION.into(),
            subscriptions: vec![DEFAULT_SUBSCRIPTION.into()],
            resource_groups: Vec::new(),
            virtual_machines: Vec::new(),
            scale_sets: Vec::new(),
            vaults: Vec::new(),
            storage_accounts: Vec::new(),
            applications: Vec::new(),
            identities: Vec::new(),
            role_assignments: Vec::new(),
            role_definitions: Vec::new(),
            issuers: Vec::new(),
            resources: Vec::new(),
        }
    }
}

/// Where a resource lives. Fields left out take the world's defaults.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// Subscription id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Resource group name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_group: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Place {
    /// The place in a named group of the default subscription and region.
    pub fn in_group(group: impl Into<String>) -> Self {
        Self {
            resource_group: Some(group.into()),
            ..Self::default()
        }
    }
}

/// A resource group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceGroup {
    /// Its name, unique in the subscription without regard to letter case.
    pub name: String,
    /// Subscription id; the world's first if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Region; the world's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// A world that cannot be read, or that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The file cannot be opened.
    #[error("cannot read the world file {path}")]
    Read {
        /// The file asked for.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not a world.
    #[error("{path} is not a world: {reason}")]
    Parse {
        /// The file asked for.
        path: String,
        /// Line, field and reason.
        reason: String,
    },
    /// Something in the world refers to what is not there, or is written twice.
    #[error("world: {0}")]
    Inconsistent(String),
}

impl World {
    /// Reads a world from JSON or YAML text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`WorldError::Parse`] with line and field when the text is not a world.
    pub fn parse(text: &str, origin: &str) -> Result<Self, WorldError> {
        let wrong = |reason: String| WorldError::Parse {
            path: origin.into(),
            reason,
        };
        let world: Self = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let given = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let understood = serde_json::to_value(&world).map_err(|e| wrong(e.to_string()))?;
        match strict::unknown_field(&given, &understood) {
            Some(field) => Err(wrong(format!("unknown field `{field}`"))),
            None => Ok(world),
        }
    }

    /// Reads a world from a JSON or YAML file.
    ///
    /// # Errors
    /// [`WorldError::Read`] or [`WorldError::Parse`].
    pub fn from_file(path: &Path) -> Result<Self, WorldError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| WorldError::Read {
            path: name.clone(),
            source,
        })?;
        Self::parse(&text, &name)
    }

    /// A small cloud to try things on: one uniform scale set of two instances, one plain VM, a
    /// vault with a secret, a storage account, an operator with exactly the roles it needs and an
    /// identity `demo` that is on the scale set and may read the vault.
    ///
    /// # Errors
    /// Never for a released simulator: its own test reads the file.
    pub fn demo() -> Result<Self, WorldError> {
        Self::parse(include_str!("../../worlds/demo.yaml"), "worlds/demo.yaml")
    }
}

#[cfg(test)]
mod tests {
    use super::World;
    use crate::state::State;

    #[test]
    fn the_readmes_world_is_one() {
        let readme = include_str!("../../README.md");
        let text = readme
            .split("```yaml")
            .nth(1)
            .and_then(|t| t.split("```").next())
            .unwrap();
        let world = World::parse(text, "README.md").unwrap();
        State::new(&world, 1).unwrap();
        assert_eq!(world.issuers.len(), 1);
    }
}
