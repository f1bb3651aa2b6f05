//! Places where data is kept: key vaults and storage accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Place, Sensitive};

/// A key vault with role-based access.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Vault {
    /// Name, unique in the cloud: `{name}.vault.azure.net`.
    pub name: String,
    /// Where it lives.
    #[serde(flatten)]
    pub place: Place,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Sensitive>,
}

/// A storage account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageAccount {
    /// Name, unique in the cloud: `{name}.blob.core.windows.net`.
    pub name: String,
    /// Where it lives.
    #[serde(flatten)]
    pub place: Place,
    /// Blobs by container name.
    pub containers: BTreeMap<String, Vec<Blob>>,
}

/// A block blob, of which only name and size are known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Blob {
    /// Full name in the container.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
}
