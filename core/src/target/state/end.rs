//! How an attempt ends, and when the next one begins.

use std::time::Duration;

use super::event::{TargetAction, TargetNotice};
use super::phase::Phase;
use super::{Next, TargetState};
use crate::backoff::lengthened;
use crate::moment::Moment;
use crate::target::error::{TargetError, TargetErrorClass};
use crate::target::failure::TargetFailure;
use crate::target::pause::ComparisonError;

/// Wait after a conflict for which Azure sent no `Retry-After`; about what it sends in others.
pub(super) const AFTER_CONFLICT: Duration = Duration::from_secs(2);
/// Conflicts in a row after which a comparison ends and back-off begins.
pub(super) const MAX_CONFLICTS: u32 = 5;

impl TargetState {
    /// Ends an attempt that succeeded as far as it could.
    pub(super) fn finish(&mut self, next: Next, now: Moment, actions: &mut Vec<TargetAction>) {
        self.pause.finished(now);
        self.wake = match next {
            Next::Rest => None,
            Next::Compare | Next::Missing => {
                Some(now + lengthened(self.settings.interval, self.random.next_jitter()))
            }
            Next::At(time) => Some(time.max(now)),
        };
        let failure =
            (next == Next::Missing).then(|| TargetFailure::target_not_found(&self.target));
        self.end(failure, next == Next::Rest, now, actions);
    }

    /// Ends an attempt because Azure has not finished an earlier change: of a former leader, or of somebody
    /// else. Azure would refuse another one, or give up the first for it.
    pub(super) fn wait_until_free(&mut self, now: Moment, actions: &mut Vec<TargetAction>) {
        let since = *self.changing_since.get_or_insert(now);
        self.pause.while_changing(since, now);
        self.wake = Some(self.pause.until);
        self.end(None, false, now, actions);
    }

    /// Ends an attempt that failed: tries again soon after a conflict, else after the back-off.
    pub(super) fn fail(
        &mut self,
        why: ComparisonError,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        if let ComparisonError::Azure(error) = &why {
            if error.class == TargetErrorClass::HeldBack {
                return self.held_back(error, now, actions);
            }
            if error.is_conflict() && self.conflicts < MAX_CONFLICTS {
                return self.conflicted(error, now, actions);
            }
        }
        self.pause.failed(&why, now, &mut self.random);
        self.wake = Some(self.pause.until);
        let (failure, text) = match &why {
            ComparisonError::Azure(error) => {
                (TargetFailure::of_azure(error, None), error.to_string())
            }
            ComparisonError::Record(error) => {
                (TargetFailure::record_not_written(error), error.clone())
            }
        };
        actions.push(TargetAction::Log(TargetNotice::Unfinished(text)));
        let failure = failure.after(self.pause.failures);
        self.end(Some(failure), false, now, actions);
    }

    /// Ends an attempt of which a call did not leave. Azure has refused nothing, so nothing is known that was not
    /// known before: no failure is reported and no back-off begins. What arrives meanwhile may come before this time, as
    /// it may be more urgent.
    fn held_back(&mut self, error: &TargetError, now: Moment, actions: &mut Vec<TargetAction>) {
        self.phase = Phase::Waiting;
        self.wake = Some(now + error.retry_after.unwrap_or(AFTER_CONFLICT));
        self.wait(now, actions);
    }

    fn conflicted(&mut self, error: &TargetError, now: Moment, actions: &mut Vec<TargetAction>) {
        self.conflicts += 1;
        actions.push(TargetAction::Log(TargetNotice::Conflict(self.conflicts)));
        if error.class == TargetErrorClass::PreconditionFailed {
            // The other change has ended, so no wait is needed.
            return self.begin_attempt(actions);
        }
        let wait = error.retry_after.unwrap_or(AFTER_CONFLICT);
        let wake = now + lengthened(wait, self.random.next_jitter());
        self.phase = Phase::AfterConflict;
        self.wake = Some(wake);
        actions.push(TargetAction::WakeAt(wake));
    }

    /// `failure` is the cause for every desired identity that is absent and has no failure of its own.
    fn end(
        &mut self,
        failure: Option<TargetFailure>,
        at_rest: bool,
        now: Moment,
        actions: &mut Vec<TargetAction>,
    ) {
        let mut failures = self.quarantine.failures();
        if let Some(failure) = failure {
            let present = self.status.present.clone().unwrap_or_default();
            for identity in self.compared.desired.difference(&present) {
                failures
                    .entry(identity.clone())
                    .or_insert_with(|| failure.clone());
            }
        }
        self.phase = Phase::Waiting;
        self.status.generation = self.compared_generation;
        self.status.failures = failures;
        self.status.at_rest = at_rest;
        self.report(actions);
        self.wait(now, actions);
    }
}
