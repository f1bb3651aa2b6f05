//! Azure's host names: what requests are routed by, what answers link to, and what the server
//! certificate is issued for.

/// Host of Azure Resource Manager.
pub(crate) const ARM_HOST: &str = "management.azure.com";
/// Host of Entra ID.
pub(crate) const ENTRA_HOST: &str = "login.microsoftonline.com";
/// Every name of Entra ID's host. Instance discovery lists them as aliases of each other.
pub(crate) const ENTRA_HOSTS: &[&str] = &[
    ENTRA_HOST,
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
];
/// Suffix of Key Vault hosts; the vault's name comes before it.
pub(crate) const VAULT_SUFFIX: &str = ".vault.azure.net";
/// Suffix of Blob Storage hosts; the account's name comes before it.
pub(crate) const BLOB_SUFFIX: &str = ".blob.core.windows.net";
