//! The kinds of credentials that podid can use.

use std::path::PathBuf;

use crate::Secret;

/// How podid authenticates to Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialOptions {
    /// A Kubernetes service account token, exchanged at Entra: no password anywhere.
    WorkloadIdentity {
        /// Tenant of the identity.
        tenant_id: String,
        /// Client id of the identity or application that trusts the service account.
        client_id: String,
        /// File of the projected token, audience `api://AzureADTokenExchange`. It is read again
        /// when the kubelet has renewed it.
        token_file: PathBuf,
    },
    /// An identity of the VM this process runs on.
    ManagedIdentity {
        /// Client id of a user-assigned identity; none for the system-assigned one.
        client_id: Option<String>,
    },
    /// An application and its password.
    ClientSecret {
        /// Tenant of the application.
        tenant_id: String,
        /// Client id of the application.
        client_id: String,
        /// The password.
        secret: Secret,
    },
}

impl CredentialOptions {
    /// A word for logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WorkloadIdentity { .. } => "workload identity",
            Self::ManagedIdentity { .. } => "managed identity",
            Self::ClientSecret { .. } => "client secret",
        }
    }
}
