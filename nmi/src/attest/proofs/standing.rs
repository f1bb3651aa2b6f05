//! How far the proof of one pod is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use podid_netfilter::Caller;

use crate::attest::{Claim, Disagreement, NodeLink};

/// Pauses between looks at a pod whose facts do not agree. The kernel announces nothing about
/// cgroups and namespaces, so this is a timer; a change of the pod is looked at at once.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A proved pod is looked at again after this: its addresses and its hardware address can change, and
/// nobody says so.
pub(super) const PROVED_PAUSE: Duration = Duration::from_secs(30);
/// How long a start may take between a pod's first process and its link, at most. A pod without a
/// link for longer has lost it, or never gets one, and a person should hear of it.
pub(super) const LINK_WAIT: Duration = Duration::from_secs(60);

pub(super) type Outcome = Result<Vec<Caller>, Disagreement>;

#[derive(Debug)]
pub(super) struct Standing {
    pub(super) claim: Claim,
    pub(super) outcome: Option<Outcome>,
    pub(super) looked: Option<Instant>,
    pub(super) due: Option<Instant>,
    pub(super) pause: Duration,
    /// The node's ends of the links it was proved by, by index, as they were then.
    pub(super) ends: BTreeMap<u32, NodeLink>,
    /// Since when it has processes and no link.
    pub(super) unlinked: Option<Instant>,
}

impl Standing {
    /// Whether there was something to judge it by.
    pub(super) fn is_judged(&self) -> bool {
        match &self.outcome {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(disagreement)) => !disagreement.is_starting(),
        }
    }

    /// Whether a person should hear of a disagreement. A pod's ordinary start is none, unless it takes
    /// longer than any does.
    pub(super) fn is_news(&mut self, disagreement: &Disagreement, now: Instant) -> bool {
        if *disagreement == Disagreement::NoLink {
            let late = *self.unlinked.get_or_insert(now) + LINK_WAIT;
            return now >= late && self.looked.is_none_or(|looked| looked < late);
        }
        let repeated = matches!(&self.outcome, Some(Err(known)) if known == disagreement);
        !disagreement.is_starting() && !repeated
    }

    /// Is proved no more, and looked at again.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.outcome = None;
        self.ends.clear();
        self.pause = FIRST_PAUSE;
        self.due = Some(now);
    }

    /// How much earlier than due a look may come.
    pub(super) fn slack(&self) -> Duration {
        match self.outcome {
            Some(Ok(_)) => PROVED_PAUSE / 2,
            _ => Duration::ZERO,
        }
    }

    /// Looks again in a while.
    pub(super) fn stand(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + PROVED_PAUSE));
        self.pause = FIRST_PAUSE;
    }

    /// Looks again after a pause, and after a longer one next time.
    pub(super) fn rest(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + self.pause));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
