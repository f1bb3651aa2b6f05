use std::sync::Arc;

use azure_core::{
    cloud::CustomConfiguration,
    credentials::TokenCredential,
    http::{ClientOptions, HttpClient, RetryOptions, Transport as CoreTransport},
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::{CredentialOptions, entra::EntraClient};
use crate::{AzureError, Endpoints, Result, Transport, TransportError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes credentials of azure_identity, always from the same settings.
#[derive(Debug)]
pub(super) struct CredentialBuilder {
    options: CredentialOptions,
    authority: String,
    transport: Transport,
}

impl CredentialBuilder {
    pub(super) fn new(
        options: CredentialOptions,
        endpoints: &Endpoints,
        transport: &Transport,
    ) -> Self {
        let authority = endpoints.authority().to_string();
        Self {
            options,
            authority,
            transport: transport.clone(),
        }
    }

    pub(super) fn build(&self, kind: &'static str) -> Result<Arc<dyn TokenCredential>> {
        self.try_build()
            .map_err(|source| AzureError::Credential { kind, source })
    }

    fn try_build(&self) -> Result<Arc<dyn TokenCredential>, BoxError> {
        Ok(match self.options.clone() {
            CredentialOptions::WorkloadIdentity {
                tenant_id,
                client_id,
                token_file,
            } => {
                let client_options = self.entra_options();
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: Some(client_id),
                    tenant_id: Some(tenant_id),
                    token_file_path: Some(token_file),
                }))?
            }
            CredentialOptions::ManagedIdentity { client_id } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.map(UserAssignedId::ClientId),
                    client_options: self.imds_options()?,
                }))?
            }
            CredentialOptions::ClientSecret {
                tenant_id,
                client_id,
                secret,
            } => {
                let client_options = self.entra_options();
                let options = Some(ClientSecretCredentialOptions { client_options });
                let secret = secret.expose().to_owned().into();
                ClientSecretCredential::new(&tenant_id, client_id, secret, options)?
            }
        })
    }

    fn entra_options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            ..client_options(EntraClient(self.transport.client().clone()))
        }
    }

    /// IMDS is on this VM: a proxy would ask for the identity of the VM that the proxy runs on.
    fn imds_options(&self) -> Result<ClientOptions, TransportError> {
        Ok(client_options(
            self.transport.without_proxy()?.client().clone(),
        ))
    }
}

/// No repeats here: the call that needs the token is repeated as a whole. (For IMDS
/// azure_identity overrides this with the delays that Azure documents.)
fn client_options(client: impl HttpClient + 'static) -> ClientOptions {
    ClientOptions {
        transport: Some(CoreTransport::new(Arc::new(client))),
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    }
}
