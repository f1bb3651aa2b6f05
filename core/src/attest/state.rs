//! The attestation of one pod: its last result, and when the pod is checked again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{AttestationError, Claim, NodeLink, PodEndpoint};
use crate::backoff::Backoff;

/// Pauses between checks of a pod whose facts do not agree, doubled after every check. A timer is needed
/// because the kernel announces nothing about cgroups and namespaces.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// Pause before an attested pod is checked again: the kernel does not announce a change of its addresses or
/// its MAC either.
pub(super) const ATTESTED_PAUSE: Duration = Duration::from_secs(30);
/// Longest time that an ordinary start takes from a pod's first process to its link. A pod that is
/// without a link for longer has lost it or never gets one, which needs a person and thus an Event.
pub(super) const LINK_WAIT: Duration = Duration::from_secs(60);

/// Result of a comparison: the pod's endpoints, or why it is not attested.
pub(super) type AttestationResult = Result<Vec<PodEndpoint>, AttestationError>;

#[derive(Debug)]
pub(super) struct AttestationState {
    pub(super) claim: Claim,
    /// `None` before the first check, and after the attestation was revoked.
    pub(super) result: Option<AttestationResult>,
    pub(super) last_check: Option<Instant>,
    /// When the next check is due; `None` while one is under way.
    pub(super) due: Option<Instant>,
    /// Checks in a row whose facts did not agree.
    failures: u32,
    /// The node's ends of the pod's links as they were when it was attested, by interface index.
    pub(super) node_ends: BTreeMap<u32, NodeLink>,
    /// Since when the pod has processes and no link.
    pub(super) without_link_since: Option<Instant>,
}

impl AttestationState {
    /// A pod before its first check.
    pub(super) fn new(claim: Claim) -> Self {
        Self {
            claim,
            result: None,
            last_check: None,
            due: None,
            failures: 0,
            node_ends: BTreeMap::new(),
            without_link_since: None,
        }
    }

    /// Sets what the API server has now. A changed claim must be attested anew.
    pub(super) fn set_claim(&mut self, claim: Claim, now: Instant) {
        if self.claim != claim {
            self.result = None;
            self.claim = claim;
        }
        self.check_at(now);
    }

    /// Whether the last check found the pod running, so that its result is final until something changes.
    pub(super) fn is_decided(&self) -> bool {
        match &self.result {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(error)) => !error.is_starting(),
        }
    }

    /// Sets the result of a check. Returns whether it needs an Event.
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
        self.last_check = Some(now);
        self.result = Some(result);
        report
    }

    /// Each error is reported once, when it begins. An ordinary start is not reported, unless it
    /// takes longer than any does.
    fn must_report(&mut self, error: &AttestationError, now: Instant) -> bool {
        if *error == AttestationError::NoLink {
            let late = *self.without_link_since.get_or_insert(now) + LINK_WAIT;
            return now >= late && self.last_check.is_none_or(|last| last < late);
        }
        let repeated = matches!(&self.result, Some(Err(known)) if known == error);
        !error.is_starting() && !repeated
    }

    /// The pod is no longer attested, and its next check is due at once.
    pub(super) fn revoke(&mut self, now: Instant) {
        self.result = None;
        self.node_ends.clear();
        self.check_at(now);
    }

    /// How much earlier than due a check may be made, together with that of another pod.
    pub(super) fn slack(&self) -> Duration {
        match self.result {
            Some(Ok(_)) => ATTESTED_PAUSE / 2,
            _ => Duration::ZERO,
        }
    }

    fn check_at(&mut self, now: Instant) {
        self.failures = 0;
        self.due = Some(now);
    }

    // A check that became due while this one was under way stays due: its cause may be newer than
    // the facts of this check.
    fn recheck_later(&mut self, now: Instant) {
        self.due = Some(self.due.unwrap_or(now + ATTESTED_PAUSE));
        self.failures = 0;
    }

    /// Schedules another check after a pause, which doubles every time.
    pub(super) fn retry_later(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.due = Some(self.due.unwrap_or(now + PAUSES.full_wait(self.failures)));
    }
}
