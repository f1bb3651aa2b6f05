//! How many calls there are, and how far apart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::checks::{holds, least_wait};
use super::simulation::WINDOW;
use crate::arm::ArmId;
use crate::moment::Moment;
use crate::target::state::{TargetAction, TargetEvent, TargetPatch};
use crate::target::{BETWEEN_REQUESTS, MAX_CHANGES, TargetError, TargetErrorClass};

/// Attempts that may follow each other without a pause: the first, and one for each conflict.
const ATTEMPTS: u32 = 6;
/// Halvings until one of [`MAX_CHANGES`] identities is alone.
const HALVINGS: usize = 7;

/// The calls of one run of the operator.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Calls of the attempt that is under way.
    saves: u32,
    patches: usize,
    changed: BTreeSet<ArmId>,
    bad: BTreeSet<ArmId>,
    attempts_in_row: u32,
    last_read: Option<Moment>,
    part: BTreeSet<ArmId>,
    /// Identities that were refused: how often in a row, and when.
    refused: BTreeMap<ArmId, (u32, Moment)>,
    /// Identities that a person asked for since they were refused, and before the attempt that is under way.
    requested: BTreeSet<ArmId>,
    /// Identities that a person asked for since then: they count from the next attempt on.
    requested_now: BTreeSet<ArmId>,
    failure: Option<TargetError>,
    failures_in_row: u32,
    /// Before this time no read may begin; a person may cut it short but for throttling.
    not_before: Moment,
    asked: bool,
    throttled: Moment,
    /// Whether no attempt is under way.
    is_over: bool,
    ended: Moment,
}

impl Calls {
    pub(super) fn starting(now: Moment) -> Self {
        Self {
            not_before: now + WINDOW,
            ..Self::default()
        }
    }

    pub(super) fn on_request(&mut self, id: &ArmId) {
        self.requested_now.insert(id.clone());
        self.asked = true;
    }

    pub(super) fn on_event(&mut self, event: &TargetEvent, now: Moment) {
        match event {
            TargetEvent::Read(Err(error)) => self.failure = Some(error.clone()),
            TargetEvent::Patched(Err(error)) if error.may_be_of_one_identity() => {
                self.hold(&error.named, now);
            }
            TargetEvent::Patched(Err(error)) => self.failure = Some(error.clone()),
            TargetEvent::Patched(Ok(_)) => {
                for id in &self.part {
                    self.refused.remove(id);
                }
            }
            TargetEvent::Read(Ok(None)) => self.refused.clear(),
            _ => {}
        }
        if let Some(error) = &self.failure
            && error.class == TargetErrorClass::Throttled
        {
            self.throttled = now + error.retry_after.unwrap_or_default();
        }
    }

    /// Notes the identities that are certainly to blame.
    fn hold(&mut self, named: &BTreeSet<ArmId>, now: Moment) {
        let culprits = match self.part.len() {
            1 => self.part.clone(),
            count => {
                let culprits = &self.part & named;
                if culprits.len() < count {
                    culprits
                } else {
                    BTreeSet::new()
                }
            }
        };
        for id in culprits {
            let count = self.refused.get(&id).map_or(0, |(count, _)| *count);
            self.requested.remove(&id);
            self.refused.insert(id, (count + 1, now));
        }
    }

    /// Forgets refusals of identities that are not to be put on any more.
    pub(super) fn forget(&mut self, stays: impl Fn(&ArmId) -> bool) {
        self.refused.retain(|id, _| stays(id));
    }

    pub(super) fn on_call(&mut self, action: &TargetAction, now: Moment) -> Result<(), String> {
        match action {
            TargetAction::Read => self.on_read(now),
            TargetAction::SaveRecord(_) => {
                self.saves += 1;
                holds(self.saves <= 2, "more than two records in one attempt")
            }
            _ => Ok(()),
        }
    }

    fn on_read(&mut self, now: Moment) -> Result<(), String> {
        holds(
            now >= self.throttled,
            "a call before the end of Retry-After",
        )?;
        let cut_short = self.asked && now >= self.ended + BETWEEN_REQUESTS;
        holds(
            now >= self.not_before || cut_short,
            "a comparison before its time",
        )?;
        let close = self.last_read.is_some_and(|last| now < last + WINDOW);
        self.attempts_in_row = if close { self.attempts_in_row + 1 } else { 1 };
        holds(self.attempts_in_row <= ATTEMPTS, "conflicts without end")?;
        self.last_read = Some(now);
        (self.saves, self.patches, self.asked) = (0, 0, false);
        (self.is_over, self.not_before) = (false, now);
        // After a 412 the target is read again at once.
        self.failure = None;
        self.requested.append(&mut self.requested_now);
        self.changed.clear();
        self.bad.clear();
        Ok(())
    }

    pub(super) fn on_patch(
        &mut self,
        patch: &TargetPatch,
        bad: &BTreeSet<ArmId>,
        now: Moment,
    ) -> Result<(), String> {
        self.part = &patch.plan.add | &patch.plan.remove;
        self.patches += 1;
        self.changed.extend(self.part.iter().cloned());
        self.bad.extend(bad.iter().cloned());
        // Parts of those that failed last time, of the others, and both once more for renewal.
        let parts = 2 * (self.changed.len().div_ceil(MAX_CHANGES) + 1);
        let most = parts + 2 * HALVINGS * self.bad.len();
        holds(
            self.patches <= most,
            "more changes in an attempt than stated",
        )?;
        for id in &patch.plan.add {
            let Some((count, at)) = self.refused.get(id) else {
                continue;
            };
            let own = least_wait(5, 300, *count);
            let wait = if self.requested.contains(id) {
                own.min(BETWEEN_REQUESTS)
            } else {
                own
            };
            holds(
                now >= *at + wait,
                "a refused identity is tried again before its time",
            )?;
        }
        Ok(())
    }

    /// An attempt ended, or something arrived while nothing was under way.
    pub(super) fn on_wait(&mut self, now: Moment) -> Result<(), String> {
        if self.last_read.is_none() || self.is_over {
            return Ok(());
        }
        self.ended = now;
        let wait = match self.failure.take() {
            None => {
                self.failures_in_row = 0;
                // A refused identity may have become due during the attempt.
                Duration::ZERO
            }
            Some(error) if error.is_conflict() => least_wait(1, 60, 1),
            Some(error) => {
                self.failures_in_row += 1;
                let (first, longest) = if error.class.is_retryable() {
                    (1, 60)
                } else {
                    (15, 300)
                };
                match error.class {
                    TargetErrorClass::Throttled => Duration::ZERO,
                    _ => least_wait(first, longest, self.failures_in_row),
                }
            }
        };
        self.not_before = now + wait;
        self.is_over = true;
        Ok(())
    }
}
