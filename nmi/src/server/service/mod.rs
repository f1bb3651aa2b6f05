//! One token request from end to end: the caller, the decision, the token.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use podid_core::binding::AzureIdentity;
use podid_core::resolve::{TokenDecision, TokenSource};
use podid_core::service_principal::ChosenPrincipal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::answer;
use crate::attest::LinkCheck;
use crate::audit::AuditRecord;
use crate::intercept::{ActiveDaemon, Caller, CallerCheck};
use crate::metrics::NodeMetrics;
use crate::pod_context::PodContext;
use crate::pod_events::{PodEvents, PodWarning};
use crate::recent_errors::RecentErrors;
use crate::server::request::{self, ValidRequest};
use crate::snapshot::{Served, Snapshot, Snapshots};
use crate::token::{IssuedToken, TokenError, TokenRequest, TokenSources, error};

/// How long requests may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// For an identity to be assigned and known to the metadata service.
    pub(crate) assign: Duration,
    /// For a pod to be attested.
    pub(crate) attest: Duration,
}

/// Where a request comes from: the other end of its connection.
#[derive(Clone, Debug)]
pub(crate) struct RequestOrigin {
    pub(crate) caller: Caller,
    /// Uid of the pod that was attested to have the address when it connected; `None` when none was.
    pub(crate) pod_uid: Option<String>,
}

/// Answers requests.
#[derive(Debug)]
pub(crate) struct TokenService {
    pub(crate) snapshots: Snapshots,
    pub(crate) sources: TokenSources,
    /// Has the pod state manager look at a caller that is not attested.
    pub(crate) calls: mpsc::Sender<Ipv4Addr>,
    /// Asked when a caller was attested only after it had connected.
    pub(crate) callers: Arc<dyn CallerCheck>,
    pub(crate) active: watch::Receiver<ActiveDaemon>,
    /// Asked before a token leaves.
    pub(crate) links: Arc<dyn LinkCheck>,
    pub(crate) waits: Waits,
    /// Writes Events about what a person must act on.
    pub(crate) events: PodEvents,
    /// For `podid-nmi status`.
    pub(crate) errors: RecentErrors,
    pub(crate) metrics: NodeMetrics,
}

impl TokenService {
    /// Which pod has been attested to have this address.
    pub(crate) fn pod_at(&self, address: Ipv4Addr) -> Option<String> {
        let snapshot = self.snapshots.borrow();
        snapshot
            .at(address)
            .map(|entry| entry.caller.pod.uid.clone())
    }

    /// Answers one request. Dropping the future, which happens when the client goes away, ends
    /// all work for it.
    pub(crate) async fn answer(
        &self,
        origin: &RequestOrigin,
        request: &Parts,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let request = match request::validate(request) {
            Ok(request) => request,
            Err(answer) => {
                tracing::debug!(address = %origin.caller.address, status = %answer.status, "not a token request");
                self.metrics.answered("NotATokenRequest", started.elapsed());
                return answer.into_response();
            }
        };
        let mut record = AuditRecord {
            resource: request.resource.clone(),
            request_id: request.headers.request_id.clone(),
            ..AuditRecord::default()
        };
        let (outcome, mut response) =
            match self.confirmed_token(origin, &request, &mut record).await {
                Ok(response) => ("Issued", response),
                Err(error) => {
                    self.report(origin.caller.address, &record, &error);
                    record.reason = Some(error.reason);
                    (error.outcome, error.answer.into_response())
                }
            };
        if origin.pod_uid.is_none() || *self.active.borrow() == ActiveDaemon::Later {
            // The next connection of a pod that is attested by now is one whose packets the engine checks, and
            // that of a later daemon's pod is taken by that one, before this one ends.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        record.write(outcome, origin.caller.address, started.elapsed());
        self.metrics.answered(outcome, started.elapsed());
        response
    }

    /// Remembers the error, and writes an Event on the pod, when a person must act and nobody else says so.
    fn report(&self, address: Ipv4Addr, record: &AuditRecord, error: &TokenError) {
        let pod = record.entry.as_ref().map(|entry| &entry.caller.pod);
        let pod = pod.map(|pod| (pod.namespace.as_str(), pod.name.as_str()));
        self.errors.note(address, pod, error.outcome, &error.reason);
        if let (Some(entry), true) = (&record.entry, error.event) {
            self.events.warn(PodWarning {
                pod: entry.caller.pod.clone(),
                reason: error.outcome,
                action: "IssueToken",
                note: format!("no token is issued: {}", error.reason),
            });
        }
    }

    /// A token, if the caller's link still is what it was when the pod was attested. The kernel is
    /// asked when the token is ready to leave, and not when the connection is accepted: connections
    /// stay open and requests wait, and the link may be taken by another pod meanwhile.
    async fn confirmed_token(
        &self,
        origin: &RequestOrigin,
        request: &ValidRequest,
        record: &mut AuditRecord,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let address = origin.caller.address;
        let uid = match &origin.pod_uid {
            Some(uid) => uid.clone(),
            None => self.attested_since(&origin.caller).await?,
        };
        let response = self.token(address, &uid, request, record).await?;
        let link = self.snapshots.borrow().link_of(&uid, address).cloned();
        if !link.is_some_and(|link| self.links.is_unchanged(&link)) {
            let _full = self.calls.try_send(address);
            return Err(error::replaced_link());
        }
        Ok(response)
    }

    async fn token(
        &self,
        address: Ipv4Addr,
        uid: &str,
        request: &ValidRequest,
        record: &mut AuditRecord,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let deadline = Instant::now() + self.waits.assign;
        let mut snapshots = self.snapshots.clone();
        loop {
            let entry = pod_of(&snapshots.borrow(), address, uid);
            let entry = entry.ok_or_else(error::not_attested)?;
            let decision = entry.resolve(&request.selector);
            record.entry = Some(Arc::clone(&entry));
            note(record, &decision);
            let as_decided = |snapshot: &Snapshot| {
                pod_of(snapshot, address, uid).is_some_and(|now| {
                    // Equal facts give equal decisions, so most requests are decided once.
                    Arc::ptr_eq(&now, &entry) || now.resolve(&request.selector) == decision
                })
            };
            let carried_out = self.carry_out(&decision, &entry, request, deadline);
            // A decision that changes meanwhile is made anew.
            if let Some(issued) = unless_changed(&mut snapshots, as_decided, carried_out).await {
                let issued = issued?;
                let client_id = || issued.token.client_id.clone();
                record.client_id.get_or_insert_with(client_id);
                record.origin = Some(issued.origin);
                return Ok(answer::token(&issued, &request.resource));
            }
        }
    }

    /// The token that was decided on, or the error that was; an assignment that is still to come is waited
    /// for until the deadline.
    async fn carry_out(
        &self,
        decision: &TokenDecision,
        entry: &PodContext,
        request: &ValidRequest,
        deadline: Instant,
    ) -> Result<IssuedToken, TokenError> {
        match decision {
            TokenDecision::Serve(source) => {
                let identity = source.identity();
                let principal = principal_of(source, request.tenant.as_deref())?;
                let request = TokenRequest {
                    pod: &entry.caller,
                    identity,
                    principal: principal.as_ref(),
                    resource: &request.resource,
                    headers: &request.headers,
                    bypass_cache: request.bypass_cache,
                    in_background: false,
                    assigned_since: entry.assigned_since(identity),
                    deadline,
                };
                self.sources.bound.token(request).await
            }
            TokenDecision::Wait(identity) => {
                sleep_until(deadline).await;
                Err(error::not_assigned(identity))
            }
            TokenDecision::PassThrough(..) => {
                let tokens = &self.sources.node_identities;
                tokens.token(entry, request).await
            }
            TokenDecision::Refuse(refusal) => Err(error::refused(refusal)),
        }
    }

    /// The pod of a caller that was not attested when it connected: a container may call before the API
    /// server has told of its pod, and the rules let a call pass as verified a moment before its pod is
    /// published. It counts once the pod is attested, if every packet of the connection was the pod's. An
    /// error comes then too, and not before, so that the client's next try succeeds.
    async fn attested_since(&self, caller: &Caller) -> Result<String, TokenError> {
        // A full queue means that the pod state manager is about to look anyway.
        let _full = self.calls.try_send(caller.address);
        let served = tokio::time::timeout(self.waits.attest, self.served_at(caller.address)).await;
        let served = served.ok().flatten().ok_or_else(error::not_attested)?;
        match self.callers.is_only_from(caller, &served.endpoint).await {
            true => Ok(served.pod.caller.pod.uid.clone()),
            false => Err(error::not_attested()),
        }
    }

    /// Who is served at an address, as soon as anybody is; `None` when the daemon ends before.
    async fn served_at(&self, address: Ipv4Addr) -> Option<Served> {
        let mut snapshots = self.snapshots.clone();
        let snapshot = snapshots.wait_for(|now| now.by_address.contains_key(&address));
        snapshot.await.ok()?.by_address.get(&address).cloned()
    }
}

/// How Entra is asked, in the tenant that a request names.
fn principal_of(
    source: &TokenSource,
    tenant: Option<&str>,
) -> Result<Option<ChosenPrincipal>, TokenError> {
    match source {
        TokenSource::NodeImds { .. } => Ok(None),
        TokenSource::Entra {
            identity,
            principal,
        } => match principal.choose(tenant) {
            Some(chosen) => Ok(Some(chosen)),
            None => Err(error::foreign_tenant(identity, tenant.unwrap_or_default())),
        },
    }
}

/// The result of `work`; `None`, and the work is dropped, once a snapshot no longer is `as_before`.
async fn unless_changed<T>(
    snapshots: &mut Snapshots,
    as_before: impl Fn(&Snapshot) -> bool,
    work: impl Future<Output = T>,
) -> Option<T> {
    let otherwise = async {
        if snapshots.wait_for(|now| !as_before(now)).await.is_err() {
            // No snapshot will come any more, so the decision stands.
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
fn pod_of(snapshot: &Snapshot, address: Ipv4Addr, uid: &str) -> Option<Arc<PodContext>> {
    let entry = snapshot.at(address);
    entry.filter(|entry| entry.caller.pod.uid == uid).cloned()
}

/// Notes which identity a request is about; a refusal leaves what an earlier decision about it has noted.
fn note(record: &mut AuditRecord, decision: &TokenDecision) {
    let (identity, reason) = match decision {
        TokenDecision::Serve(source) => (Some(source.identity()), None),
        TokenDecision::Wait(identity) => (Some(identity), None),
        TokenDecision::PassThrough(namespace, name) => {
            (None, Some(format!("excepted by {namespace}/{name}")))
        }
        TokenDecision::Refuse(_) => return,
    };
    record.reason = reason;
    record.identity = identity.map(AzureIdentity::full_name);
    record.client_id = identity.map(|identity| identity.client_id.clone());
}

#[cfg(test)]
mod tests;
