//! How far the proof of each pod is. Pure: the time comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use podid_netfilter::Caller;

use super::{Claim, Disagreement, Macs, Seen, agree};

/// Pauses between looks at a pod whose facts do not agree. The kernel announces nothing about
/// cgroups and namespaces, so this is a timer; a change of the pod is looked at at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A proved pod is looked at again after this: its sandbox can be made anew under the same uid and
/// address, behind another port or hardware address, and neither the API server nor the kernel says
/// so.
const PROVED_PAUSE: Duration = Duration::from_secs(30);
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

type Outcome = Result<Vec<Caller>, Disagreement>;

#[derive(Debug)]
struct Standing {
    claim: Claim,
    outcome: Option<Outcome>,
    looked: Option<Instant>,
    due: Option<Instant>,
    pause: Duration,
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
            });
        if known.claim != claim {
            known.outcome = None;
            known.claim = claim;
        }
        known.pause = FIRST_PAUSE;
        known.due = Some(now);
    }

    /// Only these pods are left.
    pub(crate) fn retain(&mut self, uids: &BTreeSet<&str>) {
        self.pods.retain(|uid, _| uids.contains(uid.as_str()));
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
                Ok(_) => known.stand(now),
                Err(disagreement) => {
                    known.rest(now);
                    let repeated = known.outcome.as_ref() == Some(&outcome);
                    if !disagreement.is_starting() && !repeated {
                        news.push((uid.clone(), disagreement.clone()));
                    }
                }
            }
            known.looked = Some(now);
            known.outcome = Some(outcome);
        }
        self.release_judged(seen);
        news
    }

    /// A proved pod whose link is gone is proved no more, and looked at again: its address may be
    /// another pod's by now, which waits for it.
    fn doubt_unlinked(&mut self, seen: &Seen, now: Instant) {
        for known in self.pods.values_mut() {
            let callers = known.outcome.iter().flatten().flatten();
            if callers.into_iter().any(|caller| !is_linked(caller, seen)) {
                known.outcome = None;
                known.due = Some(now);
            }
        }
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

impl Standing {
    /// Whether there was something to judge it by.
    fn is_judged(&self) -> bool {
        match &self.outcome {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(disagreement)) => !disagreement.is_starting(),
        }
    }

    /// How much earlier than due a look may come.
    fn slack(&self) -> Duration {
        match self.outcome {
            Some(Ok(_)) => PROVED_PAUSE / 2,
            _ => Duration::ZERO,
        }
    }

    /// Looks again in a while.
    fn stand(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + PROVED_PAUSE));
        self.pause = FIRST_PAUSE;
    }

    /// Looks again after a pause, and after a longer one next time.
    fn rest(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + self.pause));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the node's end of a caller's link is there.
fn is_linked(caller: &Caller, seen: &Seen) -> bool {
    let link = caller.port.map_or(caller.interface, |port| port.interface);
    seen.node.contains_key(&link)
}

#[cfg(test)]
mod tests;
