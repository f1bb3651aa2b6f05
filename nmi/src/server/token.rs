//! The way of one token request: who asks, what they get, and the token.

use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use podid_azure::{ImdsToken, ImdsTokens};
use podid_core::binding::AzureIdentity;
use podid_core::resolve::{IDENTITY_NOT_FOUND, TokenDecision};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Failure};
use super::denial::{self, Denial};
use super::guard::{self, Asked};
use super::imds_lag::ImdsLag;
use super::question::{as_asked, asked_client_id, by_resource_id, imds_request};
use crate::attest::Links;
use crate::audit::Record;
use crate::metrics::Metrics;
use crate::pod_context::PodContext;
use crate::pod_events::{PodEvents, PodWarning};
use crate::snapshot::{Snapshot, Snapshots};

/// How long after an assignment the metadata service may not know the identity. It takes Azure up to
/// a minute to tell it; here is half as much again. It counts from when this daemon first saw the
/// assignment, so that after a restart it is waited for once more, and no longer than this.
const LAG: Duration = Duration::from_secs(90);

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
    /// Asked whether a proof still holds before a token leaves.
    pub(crate) links: Arc<dyn Links>,
    pub(crate) waits: Waits,
    /// Identities that the metadata service does not know yet.
    pub(crate) lag: ImdsLag,
    /// Tells people what is refused.
    pub(crate) reports: PodEvents,
    pub(crate) metrics: Metrics,
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
        let asked = match guard::check(request) {
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
        let (outcome, response) = match self.confirmed_token(peer, &asked, &mut record).await {
            Ok(response) => ("Issued", response),
            Err(denial) => {
                self.tell(&record, &denial);
                record.reason = Some(denial.reason);
                (denial.word, denial.failure.into_response())
            }
        };
        record.write(outcome, peer.address, started.elapsed());
        self.metrics.answered(outcome, started.elapsed());
        response
    }

    /// An Event on the pod about what nobody but this daemon knows.
    fn tell(&self, record: &Record, denial: &Denial) {
        if let (Some(entry), true) = (&record.entry, denial.tell) {
            self.reports.warn(PodWarning {
                pod: entry.caller.pod.clone(),
                reason: denial.word,
                action: "IssueToken",
                note: format!("no token is issued: {}", denial.reason),
            });
        }
    }

    /// A token, if the caller's link still is what was proved. That is asked right before the token
    /// leaves, and not when the connection is accepted: connections stay open, and requests wait.
    async fn confirmed_token(
        &self,
        peer: &Peer,
        asked: &Asked,
        record: &mut Record,
    ) -> Result<Response<Full<Bytes>>, Denial> {
        let response = self.token(peer, asked, record).await?;
        let link = peer.uid.as_ref().and_then(|uid| {
            let snapshot = self.snapshots.borrow();
            snapshot.link_of(uid, peer.address).cloned()
        });
        let holds = match link {
            Some(link) => self.links.hold(&link).await,
            None => false,
        };
        if holds {
            return Ok(response);
        }
        let _full = self.calls.try_send(peer.address);
        Err(denial::moved_link())
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
        let mut snapshots = self.snapshots.clone();
        loop {
            let entry = snapshots.borrow_and_update().at(peer.address).cloned();
            let entry = still(entry, uid).ok_or_else(denial::not_attested)?;
            record.entry = Some(Arc::clone(&entry));
            match entry.resolve(&asked.selector) {
                TokenDecision::Serve(identity) => {
                    note(record, &identity);
                    let serving = self.serve(&entry, &identity, asked, deadline);
                    let as_decided = |snapshot: &Snapshot| {
                        let entry = still(snapshot.at(peer.address).cloned(), uid);
                        let decided = entry.map(|entry| entry.resolve(&asked.selector));
                        decided == Some(TokenDecision::Serve(identity.clone()))
                    };
                    if let Some(served) = unless_changed(&mut snapshots, as_decided, serving).await
                    {
                        return served;
                    }
                }
                TokenDecision::Wait(identity) => {
                    note(record, &identity);
                    let changed = timeout_at(deadline, snapshots.changed()).await;
                    if !matches!(changed, Ok(Ok(()))) {
                        return Err(denial::not_assigned(&identity));
                    }
                }
                TokenDecision::PassThrough(namespace, name) => {
                    record.reason = Some(format!("excepted by {namespace}/{name}"));
                    let request = imds_request(as_asked(&asked.selector), asked);
                    let token = self.imds.token(&request).await;
                    let client_id = asked_client_id(&asked.selector);
                    let token = token.map_err(denial::from_imds)?;
                    check_not_of_profile(&token, &entry)?;
                    return Ok(answer::token(&token, client_id, &asked.resource));
                }
                TokenDecision::Refuse(refusal) => return Err(denial::refused(&refusal)),
            }
        }
    }

    /// A token of an identity that is on the machine, as far as the operator knows.
    async fn serve(
        &self,
        entry: &PodContext,
        identity: &AzureIdentity,
        asked: &Asked,
        deadline: Instant,
    ) -> Result<Response<Full<Bytes>>, Denial> {
        let request = imds_request(by_resource_id(identity), asked);
        let answered = match self.lag.waiters(&identity.resource_id) {
            // Others are asking for it already.
            Some(waiter) => Err(waiter),
            None => match self.imds.token(&request).await {
                Err(error) if error.is_identity_not_found() => {
                    Err(self.lag.wait_for(&identity.resource_id))
                }
                answered => Ok(answered),
            },
        };
        let answered = match answered {
            Ok(answered) => answered,
            Err(waiter) => {
                let since = entry.assigned_since(identity);
                let lag_ends = since.map_or_else(Instant::now, |since| since + LAG);
                let asking = waiter.ask(self.imds.as_ref(), &request);
                let given_up = |_| match lag_ends <= deadline {
                    true => denial::unknown_to_imds(identity),
                    false => denial::not_known_yet(),
                };
                let until = lag_ends.min(deadline);
                timeout_at(until, asking).await.map_err(given_up)?
            }
        };
        let token = answered.map_err(denial::from_imds)?;
        check_owner(&token, identity)?;
        Ok(answer::token(&token, "", &asked.resource))
    }

    /// The answer to somebody who is not proved: none of it is a token. It waits for the proof, so
    /// that the client's next try, on a connection of its own, succeeds.
    async fn unattested(&self, address: Ipv4Addr) -> Denial {
        // A full queue means that the keeper is about to look anyway.
        let _full = self.calls.try_send(address);
        let mut snapshots = self.snapshots.clone();
        let proved = snapshots.wait_for(|snapshot| snapshot.at(address).is_some());
        let _either_way = tokio::time::timeout(self.waits.attest, proved).await;
        denial::not_attested()
    }
}

/// The outcome of `work`; `None`, and the work is dropped, once a snapshot says otherwise.
async fn unless_changed<T>(
    snapshots: &mut Snapshots,
    as_before: impl Fn(&Snapshot) -> bool,
    work: impl Future<Output = T>,
) -> Option<T> {
    let otherwise = async {
        if snapshots.wait_for(|now| !as_before(now)).await.is_err() {
            // There will be no news any more.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = otherwise => None,
        done = work => Some(done),
    }
}

/// The pod at an address, if it is still the one that connected: an address may pass on to another
/// pod while a connection is open.
fn still(entry: Option<Arc<PodContext>>, uid: &str) -> Option<Arc<PodContext>> {
    entry.filter(|entry| entry.caller.pod.uid == uid)
}

fn note(record: &mut Record, identity: &AzureIdentity) {
    record.identity = Some(format!("{}/{}", identity.namespace, identity.name));
    record.client_id = Some(identity.client_id.clone());
}

/// An exception opens the way to the node's own identities. Those of profiles are on the node for other
/// pods, and whoever may except pods is not asked by the class.
fn check_not_of_profile(token: &ImdsToken, entry: &PodContext) -> Result<(), Denial> {
    let client_id = token.client_id.to_ascii_lowercase();
    match client_id.is_empty() || entry.of_profiles.contains(&client_id) {
        true => Err(denial::identity_of_profile(&client_id)),
        false => Ok(()),
    }
}

/// Lets a token pass only if it belongs to the client id by which the AzureIdentity goes, which the
/// pod asked for and the audit log names.
fn check_owner(token: &ImdsToken, identity: &AzureIdentity) -> Result<(), Denial> {
    let said = &token.client_id;
    if !said.is_empty() && said.eq_ignore_ascii_case(&identity.client_id) {
        return Ok(());
    }
    let AzureIdentity {
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
        tell: true,
    })
}

#[cfg(test)]
mod tests;
