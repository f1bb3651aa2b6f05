//! How far the proof of each pod is. Pure: the time comes in.

mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use podid_netfilter::Caller;

use self::standing::{FIRST_PAUSE, Outcome, Standing};
use super::{Claim, Disagreement, LinkNews, Macs, NodeLink, ProvedLink, Seen, agree};

/// A pod that calls although it is not proved is looked at again, but not more often than this.
const CALL_PAUSE: Duration = Duration::from_secs(1);

/// All pods of the node for which the API server knows an address.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    pods: BTreeMap<String, Standing>,
    /// What another daemon had proved before this one started, as far as this one has not judged it
    /// yet. Nobody is served by it; it keeps others from speaking as those pods.
    inherited: BTreeSet<Caller>,
    macs: Macs,
}

impl Proofs {
    /// No pod is known yet, but what another daemon has left.
    pub(crate) fn inheriting(callers: BTreeSet<Caller>) -> Self {
        Self {
            macs: Macs::of(&callers),
            inherited: callers,
            ..Self::default()
        }
    }

    /// The API server has told of every pod: what was inherited of others is of pods that are gone.
    pub(crate) fn release_unclaimed(&mut self) {
        let claimed: BTreeSet<Ipv4Addr> = self
            .pods
            .values()
            .flat_map(|known| known.claim.addresses.iter().copied())
            .collect();
        self.inherited
            .retain(|caller| claimed.contains(&caller.address));
    }

    /// A pod's claim is this now: look at it.
    pub(crate) fn claim(&mut self, claim: Claim, now: Instant) {
        let known = self
            .pods
            .entry(claim.uid.clone())
            .or_insert_with(|| Standing {
                claim: claim.clone(),
                outcome: None,
                looked: None,
                due: None,
                pause: FIRST_PAUSE,
                ends: BTreeMap::new(),
                unlinked: None,
            });
        if known.claim != claim {
            known.outcome = None;
            known.claim = claim;
        }
        known.pause = FIRST_PAUSE;
        known.due = Some(now);
    }

    /// There is nothing to prove any more about this pod.
    pub(crate) fn withdraw(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    /// Somebody who is not proved has called from this address.
    pub(crate) fn called(&mut self, address: Ipv4Addr, now: Instant) {
        for known in self
            .pods
            .values_mut()
            .filter(|s| s.claim.addresses.contains(&address))
        {
            let rested = known.looked.is_none_or(|looked| now >= looked + CALL_PAUSE);
            if rested {
                known.due = Some(now);
            }
        }
    }

    /// When the next look is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.pods.values().filter_map(|known| known.due).min()
    }

    /// The uids to look at now; they are not due any more. A look is one pass over all processes,
    /// whomever it is for; so proved pods that are due soon come with those that are due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<String> {
        if self.next_due().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let due = self
            .pods
            .iter_mut()
            .filter(|(_, known)| known.due.is_some_and(|at| at <= now + known.slack()));
        due.map(|(uid, known)| {
            known.due = None;
            uid.clone()
        })
        .collect()
    }

    /// The kernel could not be asked about `uids`: what was known of them stands, and they are
    /// looked at again.
    pub(crate) fn postpone(&mut self, uids: &[String], now: Instant) {
        for uid in uids {
            if let Some(known) = self.pods.get_mut(uid) {
                known.rest(now);
            }
        }
    }

    /// Takes in what the kernel says of `uids`. Returns the disagreements a person should hear of,
    /// each once.
    pub(crate) fn judge(
        &mut self,
        uids: &[String],
        seen: &Seen,
        now: Instant,
    ) -> Vec<(String, Disagreement)> {
        let mut outcomes: BTreeMap<String, Outcome> = uids
            .iter()
            .filter_map(|uid| {
                let known = self.pods.get(uid)?;
                let links = seen.pods.get(uid).map(Vec::as_slice);
                Some((uid.clone(), agree(&known.claim, links)))
            })
            .collect();
        self.macs.retain(seen);
        self.macs.judge(&mut outcomes, seen);
        self.doubt_unlinked(seen, now);
        let mut news = Vec::new();
        for (uid, outcome) in outcomes {
            let Some(known) = self.pods.get_mut(&uid) else {
                continue;
            };
            match &outcome {
                Ok(callers) => {
                    known.stand(now);
                    known.ends = ends(callers, seen);
                }
                Err(disagreement) => {
                    known.rest(now);
                    known.ends.clear();
                    if known.is_news(disagreement, now) {
                        news.push((uid.clone(), disagreement.clone()));
                    }
                }
            }
            if outcome != Err(Disagreement::NoLink) {
                known.unlinked = None;
            }
            known.looked = Some(now);
            known.outcome = Some(outcome);
        }
        self.release_judged(seen);
        news
    }

    /// A proved pod whose link is gone, or another's, is proved no more, and looked at again: its
    /// address may be another pod's by now, which waits for it.
    fn doubt_unlinked(&mut self, seen: &Seen, now: Instant) {
        for known in self.pods.values_mut() {
            let gone = |(index, was): (&u32, &NodeLink)| !leads_as(seen.node.get(index), was);
            if known.ends.iter().any(gone) {
                known.doubt(now);
            }
        }
    }

    /// The kernel has news of links: pods that were proved by a link that is not what it was are
    /// proved no more, and looked at again.
    pub(crate) fn hear(&mut self, news: &LinkNews, now: Instant) {
        match news {
            LinkNews::Changed(index, link) => {
                for known in self.pods.values_mut() {
                    let was = known.ends.get(index);
                    if was.is_some_and(|was| !leads_as(link.as_ref(), was)) {
                        known.doubt(now);
                    }
                }
                if link.is_none() {
                    self.inherited.retain(|caller| link_of(caller) != *index);
                }
            }
            LinkNews::Lost => {
                for known in self.pods.values_mut() {
                    known.due = Some(now);
                }
            }
        }
    }

    /// The link that a caller of this pod was proved by.
    pub(crate) fn proved_link(&self, uid: &str, caller: &Caller) -> Option<ProvedLink> {
        let index = link_of(caller);
        let was = self.pods.get(uid)?.ends.get(&index)?.clone();
        Some(ProvedLink { index, was })
    }

    /// What was inherited goes when its link is gone, or when this daemon has judged the pod that
    /// has the address: proved, it stands for itself; not believed, it stands for nothing. A pod of
    /// which the kernel shows nothing yet is not judged.
    fn release_judged(&mut self, seen: &Seen) {
        let judged: BTreeSet<Ipv4Addr> = self
            .pods
            .values()
            .filter(|known| known.is_judged())
            .flat_map(|known| known.claim.addresses.iter().copied())
            .collect();
        self.inherited
            .retain(|caller| is_linked(caller, seen) && !judged.contains(&caller.address));
    }

    /// Whom the kernel should hold: who is proved, and who was inherited.
    pub(crate) fn wanted(&self) -> BTreeSet<Caller> {
        let proved = self.proved().into_values().flatten().copied();
        proved.chain(self.inherited.iter().copied()).collect()
    }

    /// The proved pods with their callers. Pods that prove one address to be theirs are both left
    /// out.
    pub(crate) fn proved(&self) -> BTreeMap<&str, &[Caller]> {
        let mut owners: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
        for caller in self.all().flat_map(|(_, callers)| callers) {
            *owners.entry(caller.address).or_default() += 1;
        }
        self.all()
            .filter(|(_, callers)| callers.iter().all(|caller| owners[&caller.address] == 1))
            .collect()
    }

    fn all(&self) -> impl Iterator<Item = (&str, &[Caller])> {
        self.pods
            .iter()
            .filter_map(|(uid, known)| match &known.outcome {
                Some(Ok(callers)) => Some((uid.as_str(), callers.as_slice())),
                _ => None,
            })
    }
}

/// The index of the node's end of a caller's link.
fn link_of(caller: &Caller) -> u32 {
    caller.port.map_or(caller.interface, |port| port.interface)
}

/// Whether the node's end of a caller's link is there.
fn is_linked(caller: &Caller, seen: &Seen) -> bool {
    seen.node.contains_key(&link_of(caller))
}

/// The node's ends of the links that these callers were proved by.
fn ends(callers: &[Caller], seen: &Seen) -> BTreeMap<u32, NodeLink> {
    let indexes = callers.iter().map(link_of);
    indexes
        .filter_map(|index| Some((index, seen.node.get(&index)?.clone())))
        .collect()
}

/// Whether a link is there and what it was.
fn leads_as(now: Option<&NodeLink>, was: &NodeLink) -> bool {
    now.is_some_and(|now| now.leads_as(was))
}

#[cfg(test)]
mod tests;
