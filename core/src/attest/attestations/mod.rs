//! The attestation of every pod of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::macs::PortMacs;
use super::state::{AttestationResult, AttestationState};
use super::{
    AttestationError, Claim, KernelFacts, LinkChange, NodeLink, PodEndpoint, ProvedLink, compare,
};

/// Shortest time between two checks of a pod because it sent requests without being attested.
const CALL_PAUSE: Duration = Duration::from_secs(1);

/// The pods of a node for which the API server has an address, and the state of the attestation of each.
/// Methods that change it take the current time.
#[derive(Debug, Default)]
pub struct Attestations {
    pods: BTreeMap<String, AttestationState>,
    /// Endpoints that an earlier daemon had attested and about which this one has not decided yet. Requests
    /// from them are not served. They stay in the rules so that no other pod can use these addresses
    /// while this daemon starts.
    inherited: BTreeSet<PodEndpoint>,
    macs: PortMacs,
}

/// What is known about a pod at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// The API server has no address for it that could be attested.
    NothingToAttest,
    /// The kernel was not read for it yet, or its attestation was revoked.
    NotChecked,
    /// The two facts do not agree.
    Refused(&'a AttestationError),
    /// Another pod proves the same address.
    SharedAddress,
    /// The two facts agree.
    Attested,
}

impl Attestations {
    /// No pod yet; `endpoints` are those that an earlier daemon has left in the kernel.
    #[must_use]
    pub fn inheriting(endpoints: BTreeSet<PodEndpoint>) -> Self {
        Self {
            macs: PortMacs::of(&endpoints),
            inherited: endpoints,
            ..Self::default()
        }
    }

    /// Adds endpoints that an earlier daemon has left in the kernel since this one began, but for pods about
    /// which this one has decided.
    pub fn inherit(&mut self, mut endpoints: BTreeSet<PodEndpoint>) {
        let decided = self.decided_addresses();
        endpoints.retain(|endpoint| !decided.contains(&endpoint.address));
        self.macs.inherit(&endpoints);
        self.inherited.append(&mut endpoints);
    }

    /// Whether every pod was checked at least once. A daemon that takes over then refuses nobody whom the
    /// earlier one has served.
    #[must_use]
    pub fn are_all_checked(&self) -> bool {
        self.pods.values().all(|state| state.last_check.is_some())
    }

    /// Drops inherited addresses that no pod has. Call it only when the API server has listed every pod:
    /// then such a pod is gone.
    pub fn release_unclaimed(&mut self) {
        let claimed: BTreeSet<Ipv4Addr> = self
            .pods
            .values()
            .flat_map(|state| state.claim.addresses.iter().copied())
            .collect();
        self.inherited
            .retain(|endpoint| claimed.contains(&endpoint.address));
    }

    /// Sets what the API server has for a pod now. A check of the pod is due at once.
    pub fn claim(&mut self, claim: Claim, now: Instant) {
        self.pods
            .entry(claim.uid.clone())
            .or_insert_with(|| AttestationState::new(claim.clone()))
            .set_claim(claim, now);
    }

    /// Drops a pod that is deleted, has ended, or has no address.
    pub fn withdraw(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    /// A request came from this address and no attested pod has it: the pod that claims it is checked soon.
    pub fn on_call(&mut self, address: Ipv4Addr, now: Instant) {
        let callers = self.pods.values_mut();
        for state in callers.filter(|state| state.claim.addresses.contains(&address)) {
            let last = state.last_check;
            if last.is_none_or(|last| now >= last + CALL_PAUSE) {
                state.due = Some(now);
            }
        }
    }

    /// When the kernel must be read next; `None` when there is no pod to check.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.pods.values().filter_map(|state| state.due).min()
    }

    /// The uids to check now; they are then no longer due. Reading the kernel visits all processes of the
    /// node, for however many pods. So attested pods that will be due soon are checked with those that are.
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

    /// The kernel could not be read for `uids`: their last results stay, and they are checked again.
    pub fn postpone(&mut self, uids: &[String], now: Instant) {
        for uid in uids {
            if let Some(state) = self.pods.get_mut(uid) {
                state.retry_later(now);
            }
        }
    }

    /// Compares the kernel's facts about `uids` with their claims. Returns the errors that need an Event, with
    /// the uid of the pod, each once.
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

    /// Reading the kernel for some pods also shows the links of all others. A pod whose link is gone or
    /// replaced is revoked: another pod may already have its address, and cannot be attested before that.
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

    /// Applies a change that the kernel announced. A pod whose link is not what it was when the pod was
    /// attested is revoked at once, and checked again.
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

    /// The link by which this endpoint of the pod was attested; `None` when it is not attested.
    #[must_use]
    pub fn proved_link(&self, uid: &str, endpoint: &PodEndpoint) -> Option<ProvedLink> {
        let index = endpoint.link_index();
        let was = self.pods.get(uid)?.node_ends.get(&index)?.clone();
        Some(ProvedLink { index, was })
    }

    /// Drops inherited endpoints whose link is gone or about whose pod this daemon has decided. An attested
    /// pod has an endpoint of its own, and a refused pod must not keep the inherited one. While the kernel
    /// shows no process or link of a pod, nothing is decided.
    fn release_decided(&mut self, facts: &KernelFacts) {
        let decided = self.decided_addresses();
        self.inherited.retain(|endpoint| {
            facts.links.contains_key(&endpoint.link_index()) && !decided.contains(&endpoint.address)
        });
    }

    fn decided_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let decided = self.pods.values().filter(|state| state.is_decided());
        decided
            .flat_map(|state| state.claim.addresses.iter().copied())
            .collect()
    }

    /// The endpoints from which the node should accept packets: those of attested pods, and the inherited
    /// ones.
    #[must_use]
    pub fn allowed(&self) -> BTreeSet<PodEndpoint> {
        let attested = self.attested().into_values().flatten().copied();
        attested.chain(self.inherited.iter().copied()).collect()
    }

    /// The attested pods by uid, with their endpoints. When two pods have the same address, both are
    /// left out: it is not known which of them sent a request.
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

    /// What is known about a pod, for people.
    #[must_use]
    pub fn standing(&self, uid: &str) -> Standing<'_> {
        match self.pods.get(uid).map(|state| &state.result) {
            None => Standing::NothingToAttest,
            Some(None) => Standing::NotChecked,
            Some(Some(Err(error))) => Standing::Refused(error),
            Some(Some(Ok(_))) if self.attested().contains_key(uid) => Standing::Attested,
            Some(Some(Ok(_))) => Standing::SharedAddress,
        }
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
