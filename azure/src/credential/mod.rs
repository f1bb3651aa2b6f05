mod build;
mod entra;
mod options;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use azure_core::credentials::TokenCredential;
use build::CredentialBuilder;
pub use options::CredentialOptions;

use crate::{AzureError, Endpoints, Operation, Result, Secret, Transport, arm::CallContext};

/// A source of tokens. Tokens are kept until shortly before they expire.
#[derive(Debug)]
pub struct Credential {
    kind: &'static str,
    builder: CredentialBuilder,
    current: RwLock<Generation>,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    secret: Secret,
    expires_on: SystemTime,
    generation: u64,
}

/// azure_identity keeps tokens inside its credentials and has no call to drop one, so a refused
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
        let builder = CredentialBuilder::new(options, endpoints, transport);
        let current = RwLock::new(Generation {
            number: 0,
            credential: builder.build(kind)?,
        });
        Ok(Self {
            kind,
            builder,
            current,
        })
    }

    /// Which credential this is, for logs.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// A token for a scope, such as [`Endpoints::arm_scope`]. A failure is not tried again here.
    ///
    /// # Errors
    /// [`AzureError::NoToken`], with Entra's answer if there was one.
    pub async fn token(&self, scope: &str) -> Result<Token> {
        let call = CallContext {
            operation: Operation::GetToken,
            resource: self.kind.to_owned(),
        };
        self.token_for(&call, scope).await
    }

    pub(crate) async fn token_for(&self, call: &CallContext, scope: &str) -> Result<Token> {
        let Generation { number, credential } = self.current();
        let token = credential
            .get_token(&[scope], None)
            .await
            .map_err(|error| {
                let reply = entra::reply_in(&error).map(Box::new);
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
            let credential = self.builder.build(self.kind)?;
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
