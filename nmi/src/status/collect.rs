//! Puts the report together from the parts of a running daemon.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use podid_core::resolve::{Selector, TokenDecision};
use podid_runtime::{Readiness, build_info};
use tokio::sync::{mpsc, oneshot, watch};

use super::report::{
    ErrorReport, IdentityReport, InterceptionReport, PodReport, StatusReport, TokenReport,
};
use crate::intercept::{ActiveDaemon, InstalledEndpoints};
use crate::metrics::NodeMetrics;
use crate::pod_context::PodContext;
use crate::pod_state::{OverviewRequest, PodOverview};
use crate::recent_errors::{RecentError, RecentErrors};
use crate::token::TokenCache;

/// How long the pod state manager may take.
const OVERVIEW_WAIT: Duration = Duration::from_secs(2);

/// What the report is made of.
#[derive(Debug)]
pub(crate) struct StatusParts {
    pub(crate) node: String,
    pub(crate) readiness: Readiness,
    /// Name of the interception engine.
    pub(crate) engine: &'static str,
    pub(crate) active: watch::Receiver<ActiveDaemon>,
    pub(crate) installed: InstalledEndpoints,
    pub(crate) overviews: mpsc::Sender<OverviewRequest>,
    pub(crate) cache: Arc<TokenCache>,
    pub(crate) errors: RecentErrors,
    pub(crate) metrics: NodeMetrics,
}

/// The daemon's status, from when its parts are there. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusSource(Arc<OnceLock<StatusParts>>);

impl StatusSource {
    /// The parts are there.
    pub(crate) fn start(&self, parts: StatusParts) {
        // Called once; a second call would change nothing.
        let _first = self.0.set(parts);
    }

    /// The report; `None` while the daemon starts or ends.
    pub(crate) async fn report(&self) -> Option<StatusReport> {
        let parts = self.0.get()?;
        let (sender, overview) = oneshot::channel();
        parts.overviews.send(sender).await.ok()?;
        let pods = tokio::time::timeout(OVERVIEW_WAIT, overview)
            .await
            .ok()?
            .ok()?;
        let pending = parts.readiness.pending();
        let active = *parts.active.borrow();
        Some(StatusReport {
            version: build_info::RELEASE.to_owned(),
            node: parts.node.clone(),
            ready: pending.is_empty() && active == ActiveDaemon::This,
            pending: pending.into_iter().map(|check| check.name).collect(),
            interception: InterceptionReport {
                engine: parts.engine.to_owned(),
                active_daemon: format!("{active:?}"),
                endpoints: parts.installed.borrow().len(),
                repaired: parts.metrics.rules_repaired.get(),
            },
            pods: pods.iter().map(pod).collect(),
            tokens: parts.tokens(),
            errors: parts.errors.newest_first().iter().map(error).collect(),
        })
    }
}

impl StatusParts {
    fn tokens(&self) -> Vec<TokenReport> {
        let kept = self.cache.kept();
        let mut tokens: Vec<TokenReport> = kept
            .into_iter()
            .map(|kept| TokenReport {
                client_id: kept.client_id,
                resource: kept.resource,
                pods: kept.pods,
                age_seconds: kept.age.as_secs(),
                seconds_left: kept.left.as_secs(),
            })
            .collect();
        tokens.sort_by(|a, b| (&a.client_id, &a.resource).cmp(&(&b.client_id, &b.resource)));
        tokens
    }
}

fn pod(overview: &PodOverview) -> PodReport {
    let pod = &overview.context.caller.pod;
    PodReport {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        addresses: overview.addresses.clone(),
        state: overview.state.to_owned(),
        reason: overview.reason.clone(),
        identities: identities(&overview.context),
    }
}

/// What the pod gets by each of its identities; without any, what it gets at all, if it is to get something.
fn identities(pod: &PodContext) -> Vec<IdentityReport> {
    let by_name = pod.identities.iter().map(|identity| {
        let decision = pod.resolve(&Selector::ClientId(identity.client_id.clone()));
        let (state, reason) = state(&decision);
        IdentityReport {
            name: identity.full_name(),
            client_id: identity.client_id.clone(),
            state: state.to_owned(),
            reason,
        }
    });
    let named: Vec<_> = by_name.collect();
    let wants_one = pod.caller.pod.selector.is_some() || !pod.exceptions.is_empty();
    if !named.is_empty() || !wants_one {
        return named;
    }
    let (state, reason) = state(&pod.resolve(&Selector::Only));
    vec![IdentityReport {
        name: String::new(),
        client_id: String::new(),
        state: state.to_owned(),
        reason,
    }]
}

fn state(decision: &TokenDecision) -> (&'static str, Option<String>) {
    match decision {
        TokenDecision::Serve(_) => ("Ready", None),
        TokenDecision::Wait(_) => ("NotAssigned", None),
        TokenDecision::PassThrough(namespace, name) => {
            let exception = format!("AzurePodIdentityException {namespace}/{name}");
            ("Excepted", Some(exception))
        }
        TokenDecision::Refuse(refusal) => (refusal.word(), Some(refusal.to_string())),
    }
}

fn error(error: &RecentError) -> ErrorReport {
    let pod = error.pod.as_ref();
    ErrorReport {
        seconds_ago: error.last.elapsed().as_secs(),
        count: error.count,
        caller: pod.map_or_else(
            || error.address.to_string(),
            |(namespace, name)| format!("{namespace}/{name}"),
        ),
        outcome: error.outcome.to_owned(),
        reason: error.reason.clone(),
    }
}
