//! The way of one token request: who asks, what they get, and the token.

use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use podid_azure::{ImdsError, ImdsIdentity, ImdsToken, ImdsTokenRequest, ImdsTokens};
use podid_core::binding::Identity;
use podid_core::resolve::{Decision, IDENTITY_NOT_FOUND, Refusal, Selector};
use podid_runtime::process;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::answer::{self, Failure};
use super::guard::{self, Asked};
use crate::audit::Record;
use crate::metrics::Metrics;
use crate::snapshot::{Entry, Snapshots};

/// Pauses between requests to a metadata service that does not know an identity yet which was
/// assigned just now. It takes the platform up to a minute to tell it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// When to ask again what could not be answered in time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long requests may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// For an identity to be assigned and known to the metadata service.
    pub(crate) assign: Duration,
    /// For a pod to be proved.
    pub(crate) attest: Duration,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: Ipv4Addr,
    /// The pod that was proved to be it when it connected; `None`: nobody knows.
    pub(crate) uid: Option<String>,
}

/// Answers requests.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) snapshots: Snapshots,
    pub(crate) imds: Arc<dyn ImdsTokens>,
    /// Tells the keeper of callers who are not proved.
    pub(crate) calls: mpsc::Sender<Ipv4Addr>,
    pub(crate) waits: Waits,
    pub(crate) metrics: Metrics,
}

/// Why there is no token, for three readers.
struct Denial {
    /// For the client.
    failure: Failure,
    /// For the metrics.
    word: &'static str,
    /// For the person who reads the audit log.
    reason: String,
}

impl Service {
    /// Which pod has been proved to have this address.
    pub(crate) fn pod_at(&self, address: Ipv4Addr) -> Option<String> {
        let snapshot = self.snapshots.borrow();
        snapshot
            .at(address)
            .map(|entry| entry.caller.pod.uid.clone())
    }

    /// Answers one request. Dropping the future, which happens when the client goes away, ends
    /// all work for it.
    pub(crate) async fn answer(&self, peer: &Peer, request: &Parts) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let asked = match guard::check(&request.method, &request.uri, &request.headers) {
            Ok(asked) => asked,
            Err(failure) => {
                tracing::debug!(address = %peer.address, status = %failure.status, "not a token request");
                self.metrics.answered("NotATokenRequest", started.elapsed());
                return failure.into_response();
            }
        };
        let mut record = Record {
            resource: asked.resource.clone(),
            request_id: asked.headers.request_id.clone(),
            ..Record::default()
        };
        let (outcome, response) = match self.token(peer, &asked, &mut record).await {
            Ok(response) => ("Issued", response),
            Err(denial) => {
                record.reason = Some(denial.reason);
                (denial.word, denial.failure.into_response())
            }
        };
        record.write(outcome, peer.address, started.elapsed());
        self.metrics.answered(outcome, started.elapsed());
        response
    }

    async fn token(
        &self,
        peer: &Peer,
        asked: &Asked,
        record: &mut Record,
    ) -> Result<Response<Full<Bytes>>, Denial> {
        let Some(uid) = &peer.uid else {
            return Err(self.unattested(peer.address).await);
        };
        let deadline = Instant::now() + self.waits.assign;
        let mut pause = FIRST_PAUSE;
        let mut snapshots = self.snapshots.clone();
        loop {
            let entry = snapshots.borrow_and_update().at(peer.address).cloned();
            let entry = still(entry, uid).ok_or_else(not_attested)?;
            record.entry = Some(Arc::clone(&entry));
            match entry.resolve(&asked.selector) {
                Decision::Serve(identity) => {
                    note(record, &identity);
                    let named = by_resource_id(&identity);
                    match self.fetch(named, asked).await {
                        Err(error) if error.is_identity_not_found() => {
                            wait_for_imds(&mut pause, deadline).await?;
                        }
                        Err(error) => return Err(from_imds(error)),
                        Ok(token) => {
                            check_owner(&token, &identity)?;
                            return Ok(answer::token(&token, "", &asked.resource));
                        }
                    }
                }
                Decision::Wait(identity) => {
                    note(record, &identity);
                    let changed = timeout_at(deadline, snapshots.changed()).await;
                    if !matches!(changed, Ok(Ok(()))) {
                        return Err(not_assigned(&identity));
                    }
                }
                Decision::PassThrough(namespace, name) => {
                    record.reason = Some(format!("excepted by {namespace}/{name}"));
                    let named = as_asked(&asked.selector);
                    let token = self.fetch(named, asked).await.map_err(from_imds)?;
                    let client_id = asked_client_id(&asked.selector);
                    return Ok(answer::token(&token, client_id, &asked.resource));
                }
                Decision::Refuse(refusal) => return Err(refused(&refusal)),
            }
        }
    }

    /// The answer to somebody who is not proved: none of it is a token. It waits for the proof, so
    /// that the client's next try, on a connection of its own, succeeds.
    async fn unattested(&self, address: Ipv4Addr) -> Denial {
        // A full queue means that the keeper is about to look anyway.
        let _full = self.calls.try_send(address);
        let mut snapshots = self.snapshots.clone();
        let proved = snapshots.wait_for(|snapshot| snapshot.at(address).is_some());
        let _either_way = tokio::time::timeout(self.waits.attest, proved).await;
        not_attested()
    }

    async fn fetch(&self, identity: ImdsIdentity, asked: &Asked) -> Result<ImdsToken, ImdsError> {
        let request = ImdsTokenRequest {
            identity,
            resource: asked.resource.clone(),
            headers: asked.headers.clone(),
        };
        self.imds.token(&request).await
    }
}

/// The pod at an address, if it is still the one that connected: an address may pass on to another
/// pod while a connection is open.
fn still(entry: Option<Arc<Entry>>, uid: &str) -> Option<Arc<Entry>> {
    entry.filter(|entry| entry.caller.pod.uid == uid)
}

fn note(record: &mut Record, identity: &Identity) {
    record.identity = Some(format!("{}/{}", identity.namespace, identity.name));
    record.client_id = Some(identity.client_id.clone());
}

fn as_asked(selector: &Selector) -> ImdsIdentity {
    match selector {
        Selector::Only => ImdsIdentity::Unnamed,
        Selector::ClientId(id) => ImdsIdentity::ClientId(id.clone()),
        Selector::ObjectId(id) => ImdsIdentity::ObjectId(id.clone()),
        Selector::ResourceId(id) => ImdsIdentity::ResourceId(id.as_str().to_owned()),
    }
}

fn asked_client_id(selector: &Selector) -> &str {
    match selector {
        Selector::ClientId(id) => id,
        _ => "",
    }
}

/// The operator assigned the identity by its resource id, and whoever may write an AzureIdentity
/// chooses its client id freely; so the resource id alone says which identity is meant.
fn by_resource_id(identity: &Identity) -> ImdsIdentity {
    ImdsIdentity::ResourceId(identity.resource_id.as_str().to_owned())
}

/// Lets a token pass only if it belongs to the client id by which the AzureIdentity goes, which the
/// pod asked for and the audit log names.
fn check_owner(token: &ImdsToken, identity: &Identity) -> Result<(), Denial> {
    let said = &token.client_id;
    if !said.is_empty() && said.eq_ignore_ascii_case(&identity.client_id) {
        return Ok(());
    }
    let Identity {
        namespace,
        name,
        client_id,
        resource_id,
        ..
    } = identity;
    let resource_id = resource_id.as_str();
    Err(Denial {
        failure: Failure::invalid(IDENTITY_NOT_FOUND),
        word: "ClientIdMismatch",
        reason: format!(
            "AzureIdentity {namespace}/{name} has clientID {client_id}, but the metadata service \
             says that {resource_id} has {said:?}; correct spec.clientID or spec.resourceID"
        ),
    })
}

async fn wait_for_imds(pause: &mut Duration, deadline: Instant) -> Result<(), Denial> {
    let next = Instant::now() + *pause;
    if next >= deadline {
        return Err(Denial {
            failure: Failure::retry(
                "The identity is assigned but not yet known to the metadata service",
                RETRY_AFTER,
            ),
            word: "NotKnownToImds",
            reason: "the metadata service does not know the identity although it is assigned; \
                     it takes up to a minute after an assignment"
                .to_owned(),
        });
    }
    sleep_until(next).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
    Ok(())
}

fn not_attested() -> Denial {
    Denial {
        failure: Failure::retry("The pod is not known on this node yet", RETRY_AFTER).closing(),
        word: "NotAttested",
        reason: "the caller's interface and address are not those of any pod of this node"
            .to_owned(),
    }
}

fn not_assigned(identity: &Identity) -> Denial {
    let name = format!("{}/{}", identity.namespace, identity.name);
    Denial {
        failure: Failure::retry("The identity is not assigned to this node yet", RETRY_AFTER),
        word: "NotAssigned",
        reason: format!(
            "AzureIdentity {name} is bound to the pod but not assigned to its node yet"
        ),
    }
}

fn refused(refusal: &Refusal) -> Denial {
    Denial {
        failure: Failure::invalid(refusal.description()),
        word: refusal.word(),
        reason: refusal.to_string(),
    }
}

/// What the metadata service says is passed on, so that SDKs retry as they would without podid.
fn from_imds(error: ImdsError) -> Denial {
    let reason = process::chain(&error);
    let (failure, word) = match error {
        ImdsError::Refused {
            status,
            error,
            description,
            retry_after,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let error = if error.is_empty() {
                "server_error"
            } else {
                &error
            };
            let failure = Failure {
                retry_after,
                ..Failure::new(status, error, &description)
            };
            (failure, "ImdsRefused")
        }
        ImdsError::Unreachable { .. } | ImdsError::Timeout { .. } => {
            let failure = Failure::retry("The metadata service does not answer", RETRY_AFTER);
            (failure, "ImdsUnreachable")
        }
        _ => {
            let text = "The metadata service gave an answer that is not a token";
            (
                Failure::new(StatusCode::BAD_GATEWAY, "server_error", text),
                "ImdsMalformed",
            )
        }
    };
    Denial {
        failure,
        word,
        reason,
    }
}

#[cfg(test)]
mod tests;
