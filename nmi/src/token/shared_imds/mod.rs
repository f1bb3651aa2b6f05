//! The node's metadata service, as all requests share it: within its limits, and with one question under way where
//! several requests ask the same.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use podid_azure::{ImdsError, ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens};
use tokio::sync::watch;

use super::flights::{Flight, Flights};
use super::imds_limiter::{ImdsLimiter, ImdsPermit, PermitOwner};
use crate::metrics::NodeMetrics;

/// Longest wait for a permit. A request that waits as long is one of a pod that asks too much, or the service hangs.
const PERMIT_WAIT: Duration = Duration::from_secs(10);

type Answer = Result<ImdsToken, ImdsError>;

/// What is asked, apart from what SDKs say about themselves: the first one's headers are sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    identity: ImdsIdentity,
    resource: String,
    bypass_cache: bool,
}

/// See the module. Clones share limits and questions.
#[derive(Clone, Debug)]
pub(crate) struct SharedImds {
    client: Arc<dyn ImdsTokens>,
    limiter: ImdsLimiter,
    flights: Flights<Question, Answer>,
    /// Tells those who wait for a permit that a question was sent, which may be theirs.
    started: Arc<watch::Sender<()>>,
    metrics: NodeMetrics,
}

/// The service, asked for one owner.
#[derive(Debug)]
pub(crate) struct ImdsFor<'a> {
    imds: &'a SharedImds,
    owner: PermitOwner,
}

impl SharedImds {
    pub(crate) fn new(client: Arc<dyn ImdsTokens>, metrics: NodeMetrics) -> Self {
        Self {
            client,
            limiter: ImdsLimiter::default(),
            flights: Flights::default(),
            started: Arc::new(watch::Sender::new(())),
            metrics,
        }
    }

    /// The service for one owner, whose questions others may share.
    pub(crate) fn asked_for(&self, owner: PermitOwner) -> ImdsFor<'_> {
        ImdsFor { imds: self, owner }
    }

    /// Asks a question that nobody else's answer is right for.
    ///
    /// # Errors
    /// [`ImdsError`]
    pub(crate) async fn token_unshared(
        &self,
        owner: PermitOwner,
        request: &ImdsTokenRequest,
    ) -> Answer {
        match tokio::time::timeout(PERMIT_WAIT, self.limiter.permit(owner)).await {
            Ok(permit) => self.ask(permit, request).await,
            Err(_late) => Err(not_asked()),
        }
    }

    async fn ask(&self, _permit: ImdsPermit, request: &ImdsTokenRequest) -> Answer {
        let answer = self.client.token(request).await;
        self.metrics.imds_answered(answer.as_ref().map(drop));
        answer
    }

    /// Sends the question, as soon as the flight is awaited; unless somebody else has done so meanwhile.
    fn join_or_start(
        &self,
        permit: ImdsPermit,
        question: Question,
        request: &ImdsTokenRequest,
    ) -> Flight<Answer> {
        let (imds, request) = (self.clone(), request.clone());
        let ask = async move { imds.ask(permit, &request).await };
        let flight = self.flights.join_or_start(question, ask);
        self.started.send_replace(());
        flight
    }
}

#[async_trait]
impl ImdsTokens for ImdsFor<'_> {
    /// Joins those who ask the same, or asks when there is a permit; whichever comes first.
    async fn token(&self, request: &ImdsTokenRequest) -> Answer {
        let question = Question {
            identity: request.identity.clone(),
            resource: request.resource.clone(),
            bypass_cache: request.bypass_cache,
        };
        let mut started = self.imds.started.subscribe();
        let mut permit = pin!(self.imds.limiter.permit(self.owner.clone()));
        let mut late = pin!(tokio::time::sleep(PERMIT_WAIT));
        loop {
            if let Some(flight) = self.imds.flights.under_way(&question) {
                return flight.await;
            }
            tokio::select! {
                biased;
                permit = &mut permit => {
                    return self.imds.join_or_start(permit, question, request).await;
                }
                _ = started.changed() => {}
                () = &mut late => return Err(not_asked()),
            }
        }
    }
}

fn not_asked() -> ImdsError {
    ImdsError::NotAsked {
        waited: PERMIT_WAIT,
    }
}

#[cfg(test)]
mod tests;
