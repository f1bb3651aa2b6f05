use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use azure_core::{
    cloud::CustomConfiguration,
    credentials::TokenCredential,
    error::ErrorKind,
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions, headers::RETRY_AFTER},
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use reqwest::header::{HeaderMap, HeaderValue};

use crate::{
    AzureError, Endpoints, Operation, Reply, Result, Secret, Transport, TransportError, arm::Call,
    retry_after::retry_after,
};

/// Tries of one token request, the first included.
const TOKEN_ATTEMPTS: u32 = 4;

/// How podid proves to Azure who it is.
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
    /// An identity of the virtual machine this runs on.
    ManagedIdentity {
        /// Client id of a user-assigned identity; none for the machine's own.
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

/// A source of tokens. Tokens are kept until shortly before they expire.
#[derive(Debug)]
pub struct Credential {
    kind: &'static str,
    parts: Parts,
    current: RwLock<Generation>,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    secret: Secret,
    expires_on: SystemTime,
    generation: u64,
}

#[derive(Debug)]
struct Parts {
    options: CredentialOptions,
    authority: String,
    transport: Transport,
}

/// azure_identity keeps tokens inside its credentials and has no word to drop one, so a refused
/// token is dropped by making the credential anew.
#[derive(Clone, Debug)]
struct Generation {
    number: u64,
    credential: Arc<dyn TokenCredential>,
}

impl Token {
    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// End of its validity.
    pub fn expires_on(&self) -> SystemTime {
        self.expires_on
    }
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

impl Credential {
    /// Makes the credential. Nothing is sent yet, but a token file must be there.
    ///
    /// # Errors
    /// [`AzureError::Credential`] if the options cannot work: no token file, a malformed id.
    pub fn new(
        options: CredentialOptions,
        endpoints: &Endpoints,
        transport: &Transport,
    ) -> Result<Self> {
        let kind = options.kind();
        let transport = transport.clone();
        let authority = endpoints.authority().to_string();
        let parts = Parts {
            options,
            authority,
            transport,
        };
        let current = RwLock::new(Generation {
            number: 0,
            credential: parts.build(kind)?,
        });
        Ok(Self {
            kind,
            parts,
            current,
        })
    }

    /// Which credential this is, for logs.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// A token for a scope, such as [`Endpoints::arm_scope`].
    ///
    /// # Errors
    /// [`AzureError::NoToken`], with Entra's answer if there was one.
    pub async fn token(&self, scope: &str) -> Result<Token> {
        let call = Call {
            operation: Operation::GetToken,
            resource: self.kind.to_owned(),
        };
        self.token_for(&call, scope).await
    }

    pub(crate) async fn token_for(&self, call: &Call, scope: &str) -> Result<Token> {
        let Generation { number, credential } = self.current();
        let token = credential
            .get_token(&[scope], None)
            .await
            .map_err(|error| {
                let reply = entra_reply(&error).map(Box::new);
                let source = reply.is_none().then(|| error.into());
                let (operation, resource) = (call.operation, call.resource.clone());
                AzureError::NoToken {
                    operation,
                    resource,
                    scope: scope.to_owned(),
                    reply,
                    source,
                }
            })?;
        Ok(Token {
            secret: Secret::new(token.token.secret()),
            expires_on: token.expires_on.into(),
            generation: number,
        })
    }

    /// Drops the kept tokens, unless that happened since `refused` was given out: of many calls
    /// whose token is refused at once, one asks anew.
    pub(crate) fn forget(&self, refused: &Token) -> Result<()> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.number == refused.generation {
            let credential = self.parts.build(self.kind)?;
            *current = Generation {
                number: current.number + 1,
                credential,
            };
        }
        Ok(())
    }

    fn current(&self) -> Generation {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Parts {
    fn build(&self, kind: &'static str) -> Result<Arc<dyn TokenCredential>> {
        let failed = |source| AzureError::Credential { kind, source };
        self.try_build().map_err(failed)
    }

    fn try_build(
        &self,
    ) -> Result<Arc<dyn TokenCredential>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(match self.options.clone() {
            CredentialOptions::WorkloadIdentity {
                tenant_id,
                client_id,
                token_file,
            } => {
                let credential_options = ClientAssertionCredentialOptions {
                    client_options: self.client_options(),
                };
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options,
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
                let options = ClientSecretCredentialOptions {
                    client_options: self.client_options(),
                };
                let secret = secret.expose().to_owned().into();
                ClientSecretCredential::new(&tenant_id, client_id, secret, Some(options))?
            }
        })
    }

    fn client_options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        let client = Arc::new(self.transport.client().clone());
        ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            transport: Some(azure_core::http::Transport::new(client)),
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: TOKEN_ATTEMPTS - 1,
                ..ExponentialRetryOptions::default()
            }),
            ..ClientOptions::default()
        }
    }

    /// IMDS is on this machine: a proxy would ask for the proxy's own identity.
    fn imds_options(&self) -> Result<ClientOptions, TransportError> {
        let client = Arc::new(self.transport.without_proxy()?.client().clone());
        let transport = Some(azure_core::http::Transport::new(client));
        Ok(ClientOptions {
            transport,
            ..self.client_options()
        })
    }
}

/// The error answer that is somewhere in the chain, if it came to one.
fn entra_reply(error: &azure_core::Error) -> Option<Reply> {
    if let ErrorKind::HttpResponse {
        status,
        raw_response: Some(raw),
        ..
    } = error.kind()
    {
        let mut reply = Reply::from_oauth(u16::from(*status), raw.body());
        reply.retry_after = raw.headers().get_optional_str(&RETRY_AFTER).and_then(wait);
        return Some(reply);
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<azure_core::Error>() {
            return entra_reply(error);
        }
        source = cause.source();
    }
    None
}

fn wait(text: &str) -> Option<Duration> {
    let value = HeaderValue::from_str(text).ok()?;
    let headers = HeaderMap::from_iter([(reqwest::header::RETRY_AFTER, value)]);
    retry_after(&headers, SystemTime::now())
}
