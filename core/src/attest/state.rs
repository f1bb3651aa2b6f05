//! The attestation of one pod: its last result, and when the pod is looked at again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{AttestationError, Claim, NodeLink, PodEndpoint};

/// Pauses between looks at a pod whose facts do not agree: the first, doubled after every look, up to
/// the longest. A timer is needed because the kernel announces nothing about cgroups and namespaces.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// An attested pod is looked at again after this: its addresses and its MAC can change, and nothing
/// announces that either.
pub(super) const ATTESTED_PAUSE: Duration = Duration::from_secs(30);
/// Longest time that an ordinary start takes from a pod's first process to its link. A pod that is
/// without a link for longer has lost it or never gets one, and a person must be told.
pub(super) const LINK_WAIT: Duration = Duration::from_secs(60);

/// What the last comparison has shown.
pub(super) type AttestationResult = Result<Vec<PodEndpoint>, AttestationError>;

#[derive(Debug)]
pub(super) struct AttestationState {
    pub(super) claim: Claim,
    /// `None` before the first look, and after the attestation was revoked.
    pub(super) result: Option<AttestationResult>,
    pub(super) last_look: Option<Instant>,
    /// When the next look is due; `None` while one is under way.
    pub(super) due: Option<Instant>,
    /// Pause before the next look after a failed one.
    pause: Duration,
    /// The node's ends of the pod's links as they were when it was attested, by interface index.
    pub(super) node_ends: BTreeMap<u32, NodeLink>,
    /// Since when the pod has processes and no link.
    pub(super) without_link_since: Option<Instant>,
}

impl AttestationState {
    /// A pod before its first look.
    pub(super) fn new(claim: Claim) -> Self {
        Self {
            claim,
            result: None,
            last_look: None,
            due: None,
            pause: FIRST_PAUSE,
            node_ends: BTreeMap::new(),
            without_link_since: None,
        }
    }

    /// Takes in what the API server says now. Another claim must be proved anew.
    pub(super) fn set_claim(&mut self, claim: Claim, now: Instant) {
        if self.claim != claim {
            self.result = None;
            self.claim = claim;
        }
        self.look_at(now);
    }

    /// Whether the last look showed enough of the pod to say yes or no.
    pub(super) fn is_decided(&self) -> bool {
        match &self.result {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(error)) => !error.is_starting(),
        }
    }

    /// Takes in the result of a look. Returns whether a person must be told of it.
    pub(super) fn set_result(
        &mut self,
        result: AttestationResult,
        node_ends: BTreeMap<u32, NodeLink>,
        now: Instant,
    ) -> bool {
        let report = match &result {
            Ok(_) => {
                self.recheck_later(now);
                false
            }
            Err(error) => {
                self.retry_later(now);
                self.must_report(error, now)
            }
        };
        if result != Err(AttestationError::NoLink) {
            self.without_link_since = None;
        }
        self.node_ends = node_ends;
        self.last_look = Some(now);
        self.result = Some(result);
        report
    }

    /// Each error is reported once, when it begins. An ordinary start is not reported, unless it
    /// takes longer than any does.
    fn must_report(&mut self, error: &AttestationError, now: Instant) -> bool {
        if *error == AttestationError::NoLink {
            let late = *self.without_link_since.get_or_insert(now) + LINK_WAIT;
            return now >= late && self.last_look.is_none_or(|last| last < late);
        }
        let repeated = matches!(&self.result, Some(Err(known)) if known == error);
        !error.is_starting() && !repeated
    }

    /// The pod is no longer attested, and is looked at at once.
    pub(super) fn revoke(&mut self, now: Instant) {
        self.result = None;
        self.node_ends.clear();
        self.look_at(now);
    }

    /// How much earlier than due a look may come, to be shared with that at another pod.
    pub(super) fn slack(&self) -> Duration {
        match self.result {
            Some(Ok(_)) => ATTESTED_PAUSE / 2,
            _ => Duration::ZERO,
        }
    }

    fn look_at(&mut self, now: Instant) {
        self.pause = FIRST_PAUSE;
        self.due = Some(now);
    }

    // A look that became due while this one was under way stays due: its cause may be newer than
    // what this look has shown.
    fn recheck_later(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + ATTESTED_PAUSE));
        self.pause = FIRST_PAUSE;
    }

    /// Schedules another look after a pause, which doubles every time.
    pub(super) fn retry_later(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + self.pause));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
