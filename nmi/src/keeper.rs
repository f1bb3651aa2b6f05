//! Brings together what the API server and the kernel say, and publishes what both agree on.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use podid_core::binding::BindingScope;
use podid_runtime::{Debt, process};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::attest::{self, Disagreement, KernelError, LinkNews, Proofs, Seen};
use crate::guardian::{Held, Wanted};
use crate::metrics::Metrics;
use crate::pod_events::{PodEvents, PodWarning};
use crate::pod_index::{ClaimChange, ObjectUpdate, PodIndex};
use crate::snapshot::{Served, Snapshot};

/// Where the keeper's news comes from.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// From the API server.
    pub(crate) changes: mpsc::Receiver<ObjectUpdate>,
    /// Addresses from which somebody has called who is not proved.
    pub(crate) calls: mpsc::Receiver<Ipv4Addr>,
    /// From the kernel: whom it holds.
    pub(crate) held: Held,
    /// From the kernel: what becomes of the node's links.
    pub(crate) links: mpsc::Receiver<LinkNews>,
}

/// Where the keeper's results go.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// To the kernel: who may speak as whom.
    pub(crate) wanted: Wanted,
    /// To the server.
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    /// To people.
    pub(crate) reports: PodEvents,
    /// Numbers.
    pub(crate) metrics: Metrics,
}

type Looked = (Vec<String>, Result<Seen, KernelError>);

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    outputs: Outputs,
    synced: Option<Debt>,
    pods: PodIndex,
    proofs: Proofs,
    look: Option<JoinHandle<Looked>>,
    /// What was heard of links since the look began: it may have seen them as they were before.
    heard: Vec<LinkNews>,
}

impl Keeper {
    /// Knows nothing yet but whom the kernel holds, which is what is wanted at first; pays `synced`
    /// when every watch has brought its first list.
    pub(crate) fn new(scope: BindingScope, outputs: Outputs, synced: Debt) -> Self {
        let proofs = Proofs::inheriting(outputs.wanted.borrow().clone());
        Self {
            outputs,
            synced: Some(synced),
            pods: PodIndex::new(scope),
            proofs,
            look: None,
            heard: Vec::new(),
        }
    }

    /// Follows its inputs until the watches end.
    ///
    /// # Errors
    /// None; the type is that of a task.
    pub(crate) async fn run(mut self, mut inputs: Inputs) -> Result<(), Infallible> {
        loop {
            let due = self.proofs.next_due().filter(|_| self.look.is_none());
            tokio::select! {
                change = inputs.changes.recv() => match change {
                    Some(change) => self.take(change, &mut inputs.changes),
                    None => return Ok(()),
                },
                Some(address) = inputs.calls.recv() => self.proofs.called(address, Instant::now()),
                Some(news) = inputs.links.recv() => self.hear(news),
                looked = finished(&mut self.look) => self.judge(looked),
                () = sleep_until(due) => {}
                Ok(()) = inputs.held.changed() => {}
            }
            self.look_at_due();
            self.publish(&mut inputs.held);
        }
    }

    /// Takes in an update and all that wait behind it, so that a list of many is one step.
    fn take(&mut self, first: ObjectUpdate, more: &mut mpsc::Receiver<ObjectUpdate>) {
        let seen = tokio::time::Instant::now();
        let mut claims = self.pods.apply(first, seen);
        while let Ok(update) = more.try_recv() {
            claims.extend(self.pods.apply(update, seen));
        }
        let listed_first = self.pods.is_complete() && self.synced.take().is_some();
        let release = listed_first || (!claims.is_empty() && self.pods.is_complete());
        let now = Instant::now();
        for change in claims {
            match change {
                ClaimChange::Made(claim) => self.proofs.claim(claim, now),
                ClaimChange::Withdrawn(uid) => self.proofs.withdraw(&uid),
            }
        }
        if release {
            self.proofs.release_unclaimed();
        }
    }

    fn look_at_due(&mut self) {
        if self.look.is_some() {
            return;
        }
        let uids = self.proofs.take_due(Instant::now());
        if !uids.is_empty() {
            self.look = Some(tokio::spawn(async move {
                let seen = attest::look(&uids).await;
                (uids, seen)
            }));
        }
    }

    fn hear(&mut self, news: LinkNews) {
        self.proofs.hear(&news, Instant::now());
        if self.look.is_some() {
            self.heard.push(news);
        }
    }

    fn judge(&mut self, looked: Result<Looked, JoinError>) {
        let heard = std::mem::take(&mut self.heard);
        let Ok((uids, seen)) = looked else {
            tracing::error!("a look at the kernel was cut off");
            return;
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                tracing::error!(error = process::chain(&error), "pods cannot be proved");
                self.proofs.postpone(&uids, Instant::now());
                return;
            }
        };
        for (uid, disagreement) in self.proofs.judge(&uids, &seen, Instant::now()) {
            self.outputs.metrics.disagreements.inc();
            self.report(&uid, &disagreement);
        }
        for news in &heard {
            self.proofs.hear(news, Instant::now());
        }
    }

    fn report(&self, uid: &str, disagreement: &Disagreement) {
        if let Some(context) = self.pods.context(uid) {
            self.outputs.reports.warn(PodWarning {
                pod: context.caller.pod.clone(),
                reason: "NotAttested",
                action: "Attest",
                note: format!("{disagreement}; the pod gets no tokens until they agree"),
            });
        }
    }

    /// A pod is served once the kernel holds it, and no longer than it is wanted: taken from the
    /// snapshot before it is taken from the kernel, put there after.
    fn publish(&mut self, held: &mut Held) {
        let proved = self.proofs.proved();
        let wanted = self.proofs.wanted();
        let held = held.borrow_and_update().clone();
        let served: Vec<_> = proved
            .iter()
            .filter(|(_, callers)| callers.iter().all(|caller| held.contains(caller)))
            .filter_map(|(uid, callers)| Some((self.pods.context(uid)?, *uid, callers)))
            .collect();
        self.outputs
            .metrics
            .pods_attested
            .set(i64::try_from(served.len()).unwrap_or(i64::MAX));
        let by_address = served
            .iter()
            .flat_map(|(pod, uid, callers)| {
                callers.iter().filter_map(|caller| {
                    let (pod, link) = (Arc::clone(pod), self.proofs.proved_link(uid, caller)?);
                    Some((caller.address, Served { pod, link }))
                })
            })
            .collect();
        self.outputs.snapshots.send_if_modified(|snapshot| {
            let changed = snapshot.by_address != by_address;
            if changed {
                *snapshot = Arc::new(Snapshot { by_address });
            }
            changed
        });
        self.outputs.wanted.send_if_modified(|old| {
            let changed = *old != wanted;
            *old = wanted;
            changed
        });
    }
}

/// The result of a look, once there is one. The look is then over.
async fn finished(look: &mut Option<JoinHandle<Looked>>) -> Result<Looked, JoinError> {
    match look {
        Some(handle) => {
            let looked = handle.await;
            *look = None;
            looked
        }
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
