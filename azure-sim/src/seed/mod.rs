//! The seed: the resources that exist before the first request, as data.
//!
//! A [`Seed`] is read from JSON or YAML, sent to a running simulator (`POST /seed`), or built in
//! code. Every field has a default, so a file names only what matters to it. A resource without a
//! place is in the seed's first subscription, in the group `podid`, in the seed's region.
//! Subscriptions and groups exist as soon as a resource names them.

mod access;
mod compute;
mod directory;
mod error;
mod place;
mod sensitive;
mod storage;
mod strict;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use access::{Permission, RoleAssignment, RoleDefinition};
pub use compute::{Instance, Orchestration, ScaleSet, VirtualMachine, VmIdentity};
pub use directory::{Application, FederatedCredential, Identity, Issuer, Secret};
pub use error::SeedError;
pub use place::Place;
pub use sensitive::Sensitive;
pub use storage::{Blob, StorageAccount, Vault};

/// Tenant id of a seed without `tenantId`.
pub const DEFAULT_TENANT: &str = "10000000-0000-4000-8000-000000000001";
/// Subscription id of a seed without `subscriptions`.
pub const DEFAULT_SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000001";
/// Resource group of a resource without `resourceGroup`.
pub(crate) const DEFAULT_GROUP: &str = "podid";
/// Region of a seed without `location`.
pub const DEFAULT_LOCATION: &str = "westeurope";

/// The resources that a simulator starts with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Seed {
    /// Id of the Entra tenant; there is only one.
    pub tenant_id: String,
    /// Region of every resource without `location`.
    pub location: String,
    /// Subscription ids. The first is the default of every resource.
    pub subscriptions: Vec<String>,
    /// Resource groups beyond those that resources name.
    pub resource_groups: Vec<ResourceGroup>,
    /// VMs outside uniform scale sets.
    pub virtual_machines: Vec<VirtualMachine>,
    /// Scale sets, uniform and flexible.
    pub scale_sets: Vec<ScaleSet>,
    /// Key vaults and their secrets.
    pub vaults: Vec<Vault>,
    /// Storage accounts and their containers.
    pub storage_accounts: Vec<StorageAccount>,
    /// App registrations with their service principals.
    pub applications: Vec<Application>,
    /// User-assigned identities that exist at the start.
    pub identities: Vec<Identity>,
    /// Roles that principals hold at the start.
    pub role_assignments: Vec<RoleAssignment>,
    /// Custom roles; the built-in roles always exist.
    pub role_definitions: Vec<RoleDefinition>,
    /// How to get the keys of federated credentials' issuers, where the issuer's own address cannot
    /// be used.
    pub issuers: Vec<Issuer>,
    /// Audiences that Entra issues tokens for, beyond the well-known Azure services.
    pub resources: Vec<String>,
}

impl Default for Seed {
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

/// A resource group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceGroup {
    /// Name, unique in the subscription without regard to letter case.
    pub name: String,
    /// Subscription id; the seed's first if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Region; the seed's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Seed {
    /// Reads a seed from JSON or YAML text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`SeedError::Parse`] with line and field when the text is not a seed.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SeedError> {
        let wrong = |reason: String| SeedError::Parse {
            path: origin.into(),
            reason,
        };
        let seed: Self = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let given = serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))?;
        let parsed = serde_json::to_value(&seed).map_err(|e| wrong(e.to_string()))?;
        match strict::unknown_field(&given, &parsed) {
            Some(field) => Err(wrong(format!("unknown field `{field}`"))),
            None => Ok(seed),
        }
    }

    /// Reads a seed from a JSON or YAML file.
    ///
    /// # Errors
    /// [`SeedError::Read`] or [`SeedError::Parse`].
    pub fn from_file(path: &Path) -> Result<Self, SeedError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| SeedError::Read {
            path: name.clone(),
            source,
        })?;
        Self::parse(&text, &name)
    }

    /// A small example: one uniform scale set of two instances, one plain VM, a
    /// vault with a secret, a storage account, an operator with exactly the roles it needs, and an
    /// identity `demo` that is on the scale set and may read the vault.
    ///
    /// # Errors
    /// Never in a released simulator: a test reads the built-in file.
    pub fn demo() -> Result<Self, SeedError> {
        Self::parse(include_str!("../../seeds/demo.yaml"), "seeds/demo.yaml")
    }
}
