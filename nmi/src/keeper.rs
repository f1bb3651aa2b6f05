//! Brings together what the API server and the kernel say, and publishes what both agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use podid_core::binding::BindingScope;
use podid_runtime::{ReadinessCheck, process};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::attest::{self, Disagreement, KernelError, LinkNews, Proofs, Seen};
use crate::guardian::{Held, Wanted};
use crate::metrics::Metrics;
use crate::reports::{Report, Reports};
use crate::snapshot::{Entry, Served, Snapshot};
use crate::world::{Change, Touched, World};

/// Where the keeper's news comes from.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// From the API server.
    pub(crate) changes: mpsc::Receiver<Change>,
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
    pub(crate) reports: Reports,
    /// Numbers.
    pub(crate) metrics: Metrics,
}

type Looked = (Vec<String>, Result<Seen, KernelError>);

/// See the module.
#[derive(Debug)]
pub(crate) struct Keeper {
    reach: BindingScope,
    outputs: Outputs,
    synced: Option<ReadinessCheck>,
    world: World,
    entries: BTreeMap<String, Arc<Entry>>,
    proofs: Proofs,
    look: Option<JoinHandle<Looked>>,
    /// What was heard of links since the look began: it may have seen them as they were before.
    heard: Vec<LinkNews>,
}

impl Keeper {
    /// Knows nothing yet but whom the kernel holds, which is what is wanted at first; pays `synced`
    /// when every watch has brought its first list.
    pub(crate) fn new(reach: BindingScope, outputs: Outputs, synced: ReadinessCheck) -> Self {
        let proofs = Proofs::inheriting(outputs.wanted.borrow().clone());
        Self {
            reach,
            outputs,
            synced: Some(synced),
            world: World::default(),
            entries: BTreeMap::new(),
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

    /// Takes in a change and all that wait behind it, so that a list of many is one step.
    fn take(&mut self, first: Change, more: &mut mpsc::Receiver<Change>) {
        let seen = tokio::time::Instant::now();
        let mut touched = self.world.apply(first, seen);
        while let Ok(change) = more.try_recv() {
            touched = both(touched, self.world.apply(change, seen));
        }
        if touched == Touched::Nobody {
            return;
        }
        let now = Instant::now();
        for (key, pod) in self.world.pods() {
            let uid = &pod.caller.pod.uid;
            let own = matches!(&touched, Touched::Pods(keys) if keys.contains(key));
            if own || touched == Touched::All {
                let entry = Arc::new(self.world.entry(pod, self.reach));
                let known = self.entries.insert(uid.clone(), entry);
                if let Some(claim) = pod.claim().filter(|_| own || known.is_none()) {
                    self.proofs.claim(claim, now);
                }
            }
        }
        self.forget_the_gone();
        if self.world.is_complete() {
            self.synced = None;
            self.proofs.release_unclaimed();
        }
    }

    fn forget_the_gone(&mut self) {
        let pods = || self.world.pods().map(|(_, pod)| pod);
        let here: BTreeSet<&str> = pods().map(|pod| pod.caller.pod.uid.as_str()).collect();
        let claiming: BTreeSet<&str> = pods()
            .filter(|pod| pod.claim().is_some())
            .map(|pod| pod.caller.pod.uid.as_str())
            .collect();
        self.entries.retain(|uid, _| here.contains(uid.as_str()));
        self.proofs.retain(&claiming);
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
        if let Some(entry) = self.entries.get(uid) {
            self.outputs.reports.warn(Report {
                pod: entry.caller.pod.clone(),
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
            .filter_map(|(uid, callers)| Some((self.entries.get(*uid)?, *uid, callers)))
            .collect();
        self.outputs
            .metrics
            .pods_attested
            .set(i64::try_from(served.len()).unwrap_or(i64::MAX));
        let by_address = served
            .iter()
            .flat_map(|(entry, uid, callers)| {
                callers.iter().filter_map(|caller| {
                    let (entry, link) = (Arc::clone(entry), self.proofs.proved_link(uid, caller)?);
                    Some((caller.address, Served { entry, link }))
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

fn both(one: Touched, other: Touched) -> Touched {
    match (one, other) {
        (Touched::All, _) | (_, Touched::All) => Touched::All,
        (Touched::Nobody, touched) | (touched, Touched::Nobody) => touched,
        (Touched::Pods(mut one), Touched::Pods(other)) => {
            one.extend(other);
            Touched::Pods(one)
        }
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
