//! The attestation of every pod of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::macs::PortMacs;
use super::state::{AttestationResult, AttestationState};
use super::{
    AttestationError, Claim, KernelFacts, LinkChange, NodeLink, PodEndpoint, ProvedLink, compare,
};

/// A pod that calls although it is not attested is looked at again, but not more often than this.
const CALL_PAUSE: Duration = Duration::from_secs(1);

/// The pods of a node for which the API server knows an address, and how far the attestation of each
/// is. Every change comes with the time at which it happened.
#[derive(Debug, Default)]
pub struct Attestations {
    pods: BTreeMap<String, AttestationState>,
    /// What an earlier daemon had attested, as far as this one has not decided on it yet. It serves
    /// nobody; it keeps others from speaking as those pods while this daemon starts.
    inherited: BTreeSet<PodEndpoint>,
    macs: PortMacs,
}

impl Attestations {
    /// No pod is known yet; `endpoints` are those that an earlier daemon has left in the kernel.
    #[must_use]
    pub fn inheriting(endpoints: BTreeSet<PodEndpoint>) -> Self {
        Self {
            macs: PortMacs::of(&endpoints),
            inherited: endpoints,
            ..Self::default()
        }
    }

    /// To be called when the API server has listed every pod: an inherited address that no pod has
    /// is that of a pod that is gone.
    pub fn release_unclaimed(&mut self) {
        let claimed: BTreeSet<Ipv4Addr> = self
            .pods
            .values()
            .flat_map(|state| state.claim.addresses.iter().copied())
            .collect();
        self.inherited
            .retain(|endpoint| claimed.contains(&endpoint.address));
    }

    /// Takes in what the API server says about a pod now. A look at the pod is due at once.
    pub fn claim(&mut self, claim: Claim, now: Instant) {
        self.pods
            .entry(claim.uid.clone())
            .or_insert_with(|| AttestationState::new(claim.clone()))
            .set_claim(claim, now);
    }

    /// There is nothing to attest any more about this pod: it is gone, has ended, or has no address.
    pub fn withdraw(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    /// A caller that is not attested has called from this address: the pod that claims it is looked
    /// at soon.
    pub fn on_call(&mut self, address: Ipv4Addr, now: Instant) {
        let callers = self.pods.values_mut();
        for state in callers.filter(|state| state.claim.addresses.contains(&address)) {
            let last = state.last_look;
            if last.is_none_or(|last| now >= last + CALL_PAUSE) {
                state.due = Some(now);
            }
        }
    }

    /// When the next look at the kernel is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.pods.values().filter_map(|state| state.due).min()
    }

    /// The uids to look at now; they are then no longer due. A look reads all processes of the node
    /// once, however many pods it is for; so attested pods that will be due soon join those that are.
    pub fn take_due(&mut self, now: Instant) -> Vec<String> {
        if self.next_due().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for (uid, state) in &mut self.pods {
            if state.due.is_some_and(|at| at <= now + state.slack()) {
                state.due = None;
                taken.push(uid.clone());
            }
        }
        taken
    }

    /// The look at `uids` failed: their last results stand, and they are looked at again.
    pub fn postpone(&mut self, uids: &[String], now: Instant) {
        for uid in uids {
            if let Some(state) = self.pods.get_mut(uid) {
                state.retry_later(now);
            }
        }
    }

    /// Compares what a look at `uids` has shown with their claims. Returns the errors that a person
    /// must be told of, with the uid of the pod, each once.
    pub fn on_look(
        &mut self,
        uids: &[String],
        facts: &KernelFacts,
        now: Instant,
    ) -> Vec<(String, AttestationError)> {
        let results = self.results(uids, facts);
        self.revoke_replaced(facts, now);
        let mut reports = Vec::new();
        for (uid, result) in results {
            let Some(state) = self.pods.get_mut(&uid) else {
                continue;
            };
            let error = result.as_ref().err().cloned();
            let node_ends = node_ends(&result, facts);
            if state.set_result(result, node_ends, now) {
                reports.extend(error.map(|error| (uid, error)));
            }
        }
        self.release_decided(facts);
        reports
    }

    fn results(
        &mut self,
        uids: &[String],
        facts: &KernelFacts,
    ) -> BTreeMap<String, AttestationResult> {
        let compared = uids.iter().filter_map(|uid| {
            let state = self.pods.get(uid)?;
            let links = facts.pods.get(uid).map(Vec::as_slice);
            Some((uid.clone(), compare(&state.claim, links)))
        });
        let mut results = compared.collect();
        self.macs.retain(facts);
        self.macs.check(&mut results, facts);
        results
    }

    /// A look at some pods also shows the links of all others. A pod whose link is gone or replaced
    /// is revoked: its address may already belong to another pod, which cannot be attested before.
    fn revoke_replaced(&mut self, facts: &KernelFacts, now: Instant) {
        for state in self.pods.values_mut() {
            let replaced = |(index, was): (&u32, &NodeLink)| {
                let now = facts.links.get(index);
                !now.is_some_and(|now| now.connects_like(was))
            };
            if state.node_ends.iter().any(replaced) {
                state.revoke(now);
            }
        }
    }

    /// Takes in what the kernel announces. A pod whose link is not what it was when the pod was
    /// attested is revoked at once, and looked at again.
    pub fn on_link_change(&mut self, change: &LinkChange, now: Instant) {
        match change {
            LinkChange::Changed(index, link) => {
                for state in self.pods.values_mut() {
                    let unchanged = |was: &NodeLink| {
                        let link = link.as_ref();
                        link.is_some_and(|link| link.connects_like(was))
                    };
                    if state
                        .node_ends
                        .get(index)
                        .is_some_and(|was| !unchanged(was))
                    {
                        state.revoke(now);
                    }
                }
                if link.is_none() {
                    self.inherited
                        .retain(|endpoint| endpoint.link_index() != *index);
                }
            }
            LinkChange::Lost => {
                for state in self.pods.values_mut() {
                    state.due = Some(now);
                }
            }
        }
    }

    /// The link by which the pod was proved to have this endpoint; `None` when it is not attested.
    #[must_use]
    pub fn proved_link(&self, uid: &str, endpoint: &PodEndpoint) -> Option<ProvedLink> {
        let index = endpoint.link_index();
        let was = self.pods.get(uid)?.node_ends.get(&index)?.clone();
        Some(ProvedLink { index, was })
    }

    /// Drops inherited endpoints whose link is gone or whose pod this daemon has decided on. An
    /// attested pod no longer needs the inherited one, and a refused pod must not keep it. While the
    /// kernel shows nothing of a pod yet, nothing is decided.
    fn release_decided(&mut self, facts: &KernelFacts) {
        let decided: BTreeSet<Ipv4Addr> = self
            .pods
            .values()
            .filter(|state| state.is_decided())
            .flat_map(|state| state.claim.addresses.iter().copied())
            .collect();
        self.inherited.retain(|endpoint| {
            facts.links.contains_key(&endpoint.link_index()) && !decided.contains(&endpoint.address)
        });
    }

    /// The endpoints that the node should let speak: those of attested pods, and the inherited ones.
    #[must_use]
    pub fn allowed(&self) -> BTreeSet<PodEndpoint> {
        let attested = self.attested().into_values().flatten().copied();
        attested.chain(self.inherited.iter().copied()).collect()
    }

    /// The attested pods by uid, with their endpoints. When two pods prove the same address, both are
    /// left out: nothing says which of them a call comes from.
    #[must_use]
    pub fn attested(&self) -> BTreeMap<&str, &[PodEndpoint]> {
        let mut pods_with: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
        for endpoint in self.agreeing().flat_map(|(_, endpoints)| endpoints) {
            *pods_with.entry(endpoint.address).or_default() += 1;
        }
        let alone = |endpoint: &PodEndpoint| pods_with.get(&endpoint.address) == Some(&1);
        self.agreeing()
            .filter(|(_, endpoints)| endpoints.iter().all(alone))
            .collect()
    }

    fn agreeing(&self) -> impl Iterator<Item = (&str, &[PodEndpoint])> {
        let pods = self.pods.iter();
        pods.filter_map(|(uid, state)| match &state.result {
            Some(Ok(endpoints)) => Some((uid.as_str(), endpoints.as_slice())),
            _ => None,
        })
    }
}

/// The node's ends of the links by which these endpoints were proved, by interface index.
fn node_ends(result: &AttestationResult, facts: &KernelFacts) -> BTreeMap<u32, NodeLink> {
    let endpoints = result.iter().flatten();
    let indexes = endpoints.map(PodEndpoint::link_index);
    indexes
        .filter_map(|index| Some((index, facts.links.get(&index)?.clone())))
        .collect()
}

#[cfg(test)]
mod tests;
