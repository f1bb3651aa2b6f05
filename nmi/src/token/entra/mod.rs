//! Tokens of service principals, from Entra. The password or certificate is read for each token that is fetched, from
//! one Secret by name, and wiped afterwards; which Secret and which authority that may be, `podid_core::service_principal`
//! has decided before.

mod credential;

use std::sync::Arc;

use podid_azure::{ImdsToken, PrincipalTokenRequest, PrincipalTokens};
use podid_core::binding::AzureIdentity;
use podid_core::service_principal::ChosenPrincipal;

use tokio::sync::Semaphore;

use super::error::{self, TokenError};
use super::flights::Flights;
use super::secrets::SecretReader;
use super::{IssuedToken, TokenRequest};

/// What is asked. Two AzureIdentities never share an answer: one of them may not have the right password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    namespace: String,
    name: String,
    client_id: String,
    principal: ChosenPrincipal,
    resource: String,
}

type Answer = Result<ImdsToken, TokenError>;

/// Questions that are worked on at once: a Secret may be a MiB, and the daemon's memory is bounded.
const QUESTIONS: usize = 8;

/// See the module. Clones share what is under way.
#[derive(Clone, Debug)]
pub(crate) struct EntraTokens {
    questions: Arc<Semaphore>,
    /// Of whom opens a file, which takes time and memory.
    opening: Arc<Semaphore>,
    secrets: Arc<dyn SecretReader>,
    entra: Arc<dyn PrincipalTokens>,
    flights: Flights<Question, Answer>,
}

impl EntraTokens {
    pub(crate) fn new(secrets: Arc<dyn SecretReader>, entra: Arc<dyn PrincipalTokens>) -> Self {
        Self {
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            opening: Arc::new(Semaphore::new(1)),
            secrets,
            entra,
            flights: Flights::default(),
        }
    }

    /// A token of the request's identity, which is this service principal. Equal requests share it.
    ///
    /// # Errors
    /// [`TokenError`], with the answer for the pod.
    pub(super) async fn token(
        &self,
        request: &TokenRequest<'_>,
        principal: &ChosenPrincipal,
    ) -> Result<IssuedToken, TokenError> {
        let question = Question::of(request.identity, principal, request.resource);
        let (this, asked) = (self.clone(), question.clone());
        let flight = self
            .flights
            .join_or_start(question, async move { this.ask(&asked).await });
        flight.await.map(IssuedToken::fresh)
    }

    async fn ask(&self, question: &Question) -> Answer {
        let Question {
            namespace,
            name,
            client_id,
            principal,
            resource,
        } = question;
        let identity = format!("{namespace}/{name}");
        let secret = &principal.secret;
        // Neither semaphore is ever closed.
        let _question = self.questions.acquire().await;
        let values = self.secrets.read(namespace, secret).await;
        let values = values.map_err(|error| error::secret(&identity, namespace, secret, &error))?;
        let kind = principal.credential;
        // Opening a PKCS#12 file takes a while on purpose. Who asks may go away meanwhile, and the work goes on: so the
        // permit goes with it.
        let opening = Arc::clone(&self.opening).acquire_owned().await;
        let read = tokio::task::spawn_blocking(move || {
            let _opening = opening;
            credential::read(kind, &values)
        });
        let read = read.await;
        let read = read.unwrap_or_else(|_| Err("it cannot be read".to_owned()));
        let credential =
            read.map_err(|why| error::unusable_secret(&identity, namespace, secret, &why))?;
        let request = PrincipalTokenRequest {
            authority: principal.authority.as_str().to_owned(),
            tenant: principal.tenant.clone(),
            client_id: client_id.clone(),
            resource: resource.clone(),
        };
        let token = self.entra.token(&request, &credential).await;
        token.map_err(|error| error::from_entra(&identity, error))
    }
}

impl Question {
    fn of(identity: &AzureIdentity, principal: &ChosenPrincipal, resource: &str) -> Self {
        Self {
            namespace: identity.namespace.clone(),
            name: identity.name.clone(),
            client_id: identity.client_id.clone(),
            principal: principal.clone(),
            resource: resource.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
