//! How far the proof of each pod is. Pure: the time comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use podid_netfilter::Caller;

use super::{Attachment, Claim, Disagreement, agree};

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
}

#[derive(Debug)]
struct Standing {
    claim: Claim,
    outcome: Option<Result<Vec<Caller>, Disagreement>>,
    looked: Option<Instant>,
    due: Option<Instant>,
    pause: Duration,
}

impl Proofs {
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
        seen: &BTreeMap<String, Vec<Attachment>>,
        now: Instant,
    ) -> Vec<(String, Disagreement)> {
        let mut news = Vec::new();
        for uid in uids {
            let Some(known) = self.pods.get_mut(uid) else {
                continue;
            };
            let outcome = agree(&known.claim, seen.get(uid).map(Vec::as_slice));
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
        news
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

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
    const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);

    fn claim(uid: &str, address: Ipv4Addr) -> Claim {
        Claim {
            uid: uid.into(),
            addresses: vec![address],
        }
    }

    fn seen(pods: &[(&str, u32, Ipv4Addr)]) -> BTreeMap<String, Vec<Attachment>> {
        let one = |interface, address| {
            vec![Attachment {
                interface,
                port: None,
                addresses: vec![address],
            }]
        };
        pods.iter()
            .map(|(uid, interface, a)| ((*uid).to_owned(), one(*interface, *a)))
            .collect()
    }

    fn judged(claims: &[(&str, Ipv4Addr)], kernel: &[(&str, u32, Ipv4Addr)]) -> Proofs {
        let now = Instant::now();
        let mut proofs = Proofs::default();
        for (uid, address) in claims {
            proofs.claim(claim(uid, *address), now);
        }
        let due = proofs.take_due(now);
        proofs.judge(&due, &seen(kernel), now);
        proofs
    }

    #[test]
    fn a_pod_is_proved_when_the_facts_agree() {
        let proofs = judged(&[("u", A)], &[("u", 7, A)]);
        assert_eq!(proofs.proved()["u"][0].interface, 7);
    }

    #[test]
    fn a_proved_pod_whose_sandbox_is_made_anew_is_found_behind_its_new_interface() {
        let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
        let again = proofs.next_due().expect("a look again");
        let due = proofs.take_due(again);
        assert_eq!(due, ["u"]);
        assert_eq!(proofs.judge(&due, &seen(&[("u", 8, A)]), again), []);
        assert_eq!(proofs.proved()["u"][0].interface, 8);
    }

    #[test]
    fn one_look_serves_all_proved_pods_that_are_due_soon() {
        let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
        let first = proofs.next_due().expect("a look again");
        let later = first - PROVED_PAUSE + Duration::from_secs(1);
        proofs.claim(claim("v", B), later);
        assert_eq!(proofs.take_due(later), ["v"], "too early for the first");
        proofs.judge(&["v".to_owned()], &seen(&[("v", 8, B)]), later);
        assert_eq!(proofs.take_due(first), ["u", "v"]);
    }

    #[test]
    fn two_pods_with_one_address_are_both_refused() {
        let proofs = judged(
            &[("u", A), ("v", A), ("w", B)],
            &[("u", 7, A), ("v", 8, A), ("w", 9, B)],
        );
        assert_eq!(proofs.proved().keys().copied().collect::<Vec<_>>(), ["w"]);
    }

    #[test]
    fn a_new_address_must_be_proved_anew() {
        let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
        proofs.claim(claim("u", B), Instant::now());
        assert!(proofs.proved().is_empty());
    }

    #[test]
    fn a_disagreement_is_told_once_and_looked_at_with_growing_pauses() {
        let now = Instant::now();
        let mut proofs = Proofs::default();
        proofs.claim(claim("u", A), now);
        let due = proofs.take_due(now);
        assert_eq!(proofs.judge(&due, &seen(&[("u", 7, B)]), now).len(), 1);
        let first = proofs.next_due().unwrap();
        let due = proofs.take_due(first);
        assert_eq!(proofs.judge(&due, &seen(&[("u", 7, B)]), first), []);
        assert!(proofs.next_due().unwrap() - first > first - now);
    }

    #[test]
    fn what_was_proved_stands_while_the_kernel_cannot_be_asked() {
        let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
        proofs.postpone(&["u".to_owned()], Instant::now());
        assert_eq!(proofs.proved().len(), 1);
        assert!(proofs.next_due().is_some());
    }

    #[test]
    fn a_starting_pod_is_nobodys_news() {
        let now = Instant::now();
        let mut proofs = Proofs::default();
        proofs.claim(claim("u", A), now);
        let due = proofs.take_due(now);
        assert_eq!(proofs.judge(&due, &seen(&[]), now), []);
        assert!(proofs.next_due().is_some(), "but it is looked at again");
    }

    #[test]
    fn calls_bring_a_look_forward_but_not_too_often() {
        let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
        let now = Instant::now();
        let planned = proofs.next_due();
        proofs.called(A, now);
        assert_eq!(proofs.next_due(), planned, "just looked");
        proofs.called(A, now + CALL_PAUSE * 2);
        assert_eq!(proofs.next_due(), Some(now + CALL_PAUSE * 2));
    }
}
