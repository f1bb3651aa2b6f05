//! The seed of key vaults and storage accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::sensitive::Sensitive;

/// A key vault in the role-based permission model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Vault {
    /// Name, unique in all of Azure: `{name}.vault.azure.net`.
    pub name: String,
    /// Subscription, group and region.
    #[serde(flatten)]
    pub place: Place,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Sensitive>,
}

/// A storage account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageAccount {
    /// Name, unique in all of Azure: `{name}.blob.core.windows.net`.
    pub name: String,
    /// Subscription, group and region.
    #[serde(flatten)]
    pub place: Place,
    /// Blobs by container name.
    pub containers: BTreeMap<String, Vec<Blob>>,
}

/// A block blob. It has a name and a size, but no content.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Blob {
    /// Full name in the container.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
}
