//! The state of the node's pods: brings together what the API server and the kernel say about each,
//! has the endpoints allowed of those for which both agree, and publishes these pods to the server.

mod overview;

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use podid_core::attest::{AttestationError, Attestations, KernelFacts, LinkChange, PodEndpoint};
use podid_core::binding::ServingRules;
use podid_runtime::wait::sleep_until;
use podid_runtime::{ReadinessCheck, process};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

pub(crate) use overview::{OverviewRequest, PodOverview};

use crate::attest::{LookError, PodInspector};
use crate::intercept::{AllowedEndpoints, Handover, InstalledEndpoints};
use crate::metrics::NodeMetrics;
use crate::pod_events::{PodEvents, PodWarning};
use crate::pod_index::{ClaimChange, ObjectUpdate, PodIndex};
use crate::snapshot::{Served, Snapshot};

/// What the manager follows.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Changes of objects in the API server.
    pub(crate) changes: mpsc::Receiver<ObjectUpdate>,
    /// Addresses of callers that are not attested.
    pub(crate) calls: mpsc::Receiver<Ipv4Addr>,
    /// Endpoints that the interception engine verifies by now.
    pub(crate) installed: InstalledEndpoints,
    /// Changes of the node's links.
    pub(crate) links: mpsc::Receiver<LinkChange>,
    /// Questions for what is known of all pods.
    pub(crate) overviews: mpsc::Receiver<OverviewRequest>,
    /// From an earlier daemon that still takes the calls.
    pub(crate) handover: Option<Handover>,
}

/// Where the manager's results go.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// To the interception engine.
    pub(crate) allowed: AllowedEndpoints,
    /// To the server.
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    /// To the Events of pods.
    pub(crate) events: PodEvents,
    pub(crate) metrics: NodeMetrics,
}

type LookResult = (Vec<String>, Result<KernelFacts, LookError>);

/// See the module.
#[derive(Debug)]
pub(crate) struct PodStateManager {
    outputs: Outputs,
    inspector: Arc<dyn PodInspector>,
    /// Keeps the daemon from being ready until every watch has brought its first list.
    not_synced: Option<ReadinessCheck>,
    pods: PodIndex,
    attestations: Attestations,
    /// The look at the kernel that is under way.
    look: Option<JoinHandle<LookResult>>,
    /// Link changes since that look began: it may have seen the links as they were before.
    changes_during_look: Vec<LinkChange>,
}

impl PodStateManager {
    /// Knows no pod yet. The endpoints that are allowed at first stay so until something is known of
    /// their pods. Lets `not_synced` pass when every watch has brought its first list.
    pub(crate) fn new(
        rules: ServingRules,
        outputs: Outputs,
        inspector: Arc<dyn PodInspector>,
        not_synced: ReadinessCheck,
    ) -> Self {
        let attestations = Attestations::inheriting(outputs.allowed.borrow().clone());
        Self {
            outputs,
            inspector,
            not_synced: Some(not_synced),
            pods: PodIndex::new(rules),
            attestations,
            look: None,
            changes_during_look: Vec::new(),
        }
    }

    /// Follows its inputs until the watches end.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(mut self, mut inputs: Inputs) -> Result<(), Infallible> {
        loop {
            // One look at a time: what becomes due meanwhile is looked at when it has ended.
            let due = self.attestations.next_due().filter(|_| self.look.is_none());
            tokio::select! {
                change = inputs.changes.recv() => match change {
                    Some(change) => self.on_change(change, &mut inputs.changes),
                    None => return Ok(()),
                },
                Some(address) = inputs.calls.recv() => self.attestations.on_call(address, Instant::now()),
                Some(change) = inputs.links.recv() => self.on_link_change(change),
                Some(asked) = inputs.overviews.recv() => self.on_overview_request(asked),
                looked = finished(&mut self.look) => self.on_look(looked),
                () = sleep_until(due.map(Into::into)) => {}
                Ok(()) = inputs.installed.changed() => {}
                () = earlier_ended(&mut inputs.handover) => self.take_over(&mut inputs.handover).await,
            }
            self.look_at_due();
            // Not sooner, so that the earlier daemon serves all pods that this one cannot serve yet.
            if self.pods.is_complete() && self.attestations.are_all_checked() {
                self.take_over(&mut inputs.handover).await;
            }
            self.publish(&mut inputs.installed);
        }
    }

    /// Makes this daemon the active one, unless it is. The endpoints that the earlier one has left until now
    /// stay allowed as those that it had left at first.
    async fn take_over(&mut self, handover: &mut Option<Handover>) {
        let Some(handover) = handover.take() else {
            return;
        };
        self.attestations.inherit(handover.take_over().await);
        if self.pods.is_complete() {
            self.attestations.release_unclaimed();
        }
    }

    /// Takes in an update and all that wait behind it, so that a list of many is one step.
    fn on_change(&mut self, first: ObjectUpdate, more: &mut mpsc::Receiver<ObjectUpdate>) {
        let seen = tokio::time::Instant::now();
        let mut claims = self.pods.apply(first, seen);
        while let Ok(update) = more.try_recv() {
            claims.extend(self.pods.apply(update, seen));
        }
        let synced = if self.pods.is_complete() {
            self.not_synced.take()
        } else {
            None
        };
        let listed_first = synced.is_some();
        if let Some(check) = synced {
            check.pass();
        }
        // Endpoints that an earlier daemon left stay allowed until all pods are known: only then does a
        // missing claim mean that the pod is gone.
        let release = listed_first || (!claims.is_empty() && self.pods.is_complete());
        let now = Instant::now();
        for change in claims {
            match change {
                ClaimChange::Made(claim) => self.attestations.claim(claim, now),
                ClaimChange::Withdrawn(uid) => self.attestations.withdraw(&uid),
            }
        }
        if release {
            self.attestations.release_unclaimed();
        }
    }

    fn on_overview_request(&self, asked: OverviewRequest) {
        let snapshot = self.outputs.snapshots.borrow();
        let overview = overview::overview(&self.pods, &self.attestations, &snapshot);
        // Who has asked may have gone away.
        let _gone = asked.send(overview);
    }

    fn look_at_due(&mut self) {
        if self.look.is_some() {
            return;
        }
        let uids = self.attestations.take_due(Instant::now());
        if !uids.is_empty() {
            let inspector = Arc::clone(&self.inspector);
            // A task of its own, because a look takes long on a node with many processes.
            self.look = Some(tokio::spawn(async move {
                let facts = inspector.look(&uids).await;
                (uids, facts)
            }));
        }
    }

    fn on_link_change(&mut self, change: LinkChange) {
        self.attestations.on_link_change(&change, Instant::now());
        // The running look may have read this link before the change, and is corrected when it ends.
        if self.look.is_some() {
            self.changes_during_look.push(change);
        }
    }

    fn on_look(&mut self, looked: Result<LookResult, JoinError>) {
        let changes = std::mem::take(&mut self.changes_during_look);
        let Ok((uids, facts)) = looked else {
            tracing::error!("a look at the kernel was cut off");
            return;
        };
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => {
                tracing::error!(error = process::chain(&error), "pods cannot be attested");
                self.attestations.postpone(&uids, Instant::now());
                return;
            }
        };
        for (uid, error) in self.attestations.on_look(&uids, &facts, Instant::now()) {
            self.outputs.metrics.attestation_errors.inc();
            self.report(&uid, &error);
        }
        // The look may have seen a link as it was before one of these.
        for change in &changes {
            self.attestations.on_link_change(change, Instant::now());
        }
    }

    fn report(&self, uid: &str, error: &AttestationError) {
        if let Some(context) = self.pods.context(uid) {
            self.outputs.events.warn(PodWarning {
                pod: context.caller.pod.clone(),
                reason: "NotAttested",
                action: "Attest",
                note: format!(
                    "{error}; the pod gets no token while this lasts: see what has changed its network, or \
                     delete the pod so that it is made anew"
                ),
            });
        }
    }

    /// A pod is served once all its endpoints are installed, and no longer than they are allowed. So
    /// it is added to the snapshot after it was installed, and taken from the snapshot before the
    /// engine is to remove it.
    fn publish(&mut self, installed: &mut InstalledEndpoints) {
        // The snapshot first, the allowed endpoints second: see above.
        let by_address = {
            let installed = installed.borrow_and_update();
            self.served(&installed)
        };
        self.outputs.snapshots.send_if_modified(|snapshot| {
            let changed = snapshot.by_address != by_address;
            if changed {
                *snapshot = Arc::new(Snapshot { by_address });
            }
            changed
        });
        let allowed = self.attestations.allowed();
        self.outputs.allowed.send_if_modified(|old| {
            let changed = *old != allowed;
            *old = allowed;
            changed
        });
    }

    /// The attested pods whose endpoints are all installed, by address.
    fn served(&self, installed: &BTreeSet<PodEndpoint>) -> HashMap<Ipv4Addr, Served> {
        let mut by_address = HashMap::new();
        let mut pods = 0;
        // From some of the objects a pod may seem to get what all of them together refuse: an identity of
        // which nobody knows yet that it is a profile's, for instance.
        let attested = match self.pods.is_complete() {
            true => self.attestations.attested(),
            false => Default::default(),
        };
        for (uid, endpoints) in attested {
            let is_installed = endpoints.iter().all(|one| installed.contains(one));
            let Some(context) = self.pods.context(uid).filter(|_| is_installed) else {
                continue;
            };
            pods += 1;
            for endpoint in endpoints {
                if let Some(link) = self.attestations.proved_link(uid, endpoint) {
                    let pod = Arc::clone(context);
                    let served = Served {
                        pod,
                        endpoint: *endpoint,
                        link,
                    };
                    by_address.insert(endpoint.address, served);
                }
            }
        }
        self.outputs.metrics.pods_attested.set(pods);
        by_address
    }
}

async fn earlier_ended(handover: &mut Option<Handover>) {
    match handover {
        Some(handover) => handover.earlier_ended().await,
        None => std::future::pending().await,
    }
}

/// The result of a look, once there is one. The look is then over.
async fn finished(look: &mut Option<JoinHandle<LookResult>>) -> Result<LookResult, JoinError> {
    match look {
        Some(handle) => {
            let looked = handle.await;
            *look = None;
            looked
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
