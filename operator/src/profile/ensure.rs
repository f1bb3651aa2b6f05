//! Observe, decide, apply: brings about what an admitted profile wants.

use podid_core::condition::SubCondition;
use podid_core::profile::ConditionType;
use podid_core::profile::decide::{NextAction, next_action};
use podid_core::profile::desired::Desired;
use podid_core::profile::in_progress::GRANTING;
use podid_core::profile::observed::{Observed, ProfileRecord};
use podid_core::profile::plan::{Plan, Step};
use podid_core::profile::progress::PlanProgress;
use podid_core::profile::result::ReconcileResult;
use podid_crds::podid::PodIdentityProfile;

use super::apply::Applier;
use super::error::{ErrorCause, StepError};
use super::observe::{ReadScope, observe};
use super::{ProfileContext, enforcement, in_progress, pods};

/// What was done, and what it comes to.
#[derive(Debug)]
pub(super) struct Ensured {
    pub(super) result: ReconcileResult,
    /// Steps that were done, in words.
    pub(super) done: Vec<String>,
    /// The profile with the status that was written meanwhile.
    pub(super) latest: Option<PodIdentityProfile>,
}

impl Ensured {
    pub(super) fn without_work(result: ReconcileResult) -> Self {
        Self {
            result,
            done: Vec::new(),
            latest: None,
        }
    }
}

/// One profile in work.
struct Work<'a> {
    profile: &'a PodIdentityProfile,
    desired: &'a Desired,
    /// `EnforcementReady` as far as the policy goes.
    policy: SubCondition,
    context: &'a ProfileContext,
}

/// Makes what is desired, and reports progress in the status.
pub(super) async fn ensure(
    profile: &PodIdentityProfile,
    desired: &Desired,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Ensured {
    let policy = enforcement::policy(desired.net_raw, context).await;
    let mut work = Work {
        profile,
        desired,
        policy,
        context,
    };
    let begun = match in_progress::begin(profile, context).await {
        Ok(begun) => begun,
        Err(error) => return Ensured::without_work(work.failed(&error, record, None)),
    };
    work.profile = begun.as_ref().unwrap_or(profile);
    let mut ensured = work.observe_and_act(record).await;
    ensured.latest = ensured.latest.or(begun);
    ensured
}

impl Work<'_> {
    async fn observe_and_act(&self, record: ProfileRecord) -> Ensured {
        let scope = ReadScope {
            profile: self.profile,
            identity: Some(&self.desired.identity.id),
            grants: &self.desired.grants,
            record: record.clone(),
        };
        let mut observed = match observe(scope, self.context).await {
            Ok(observed) => observed,
            Err(error) => return Ensured::without_work(self.failed(&error, record, None)),
        };
        let (adoptions, profiles) = (&self.context.adoptions, &self.context.profiles);
        let written = &self.context.children.azure_identities;
        observed.taken_by = adoptions.reserve(self.desired, &observed, profiles, written);
        let enforcement = self.enforcement();
        let action = next_action(self.desired, &observed);
        if !matches!(action, NextAction::Apply(_)) {
            adoptions.release(self.desired);
        }
        Ensured::without_work(match action {
            NextAction::Apply(plan) => return self.apply(&plan, &observed).await,
            NextAction::Refuse(refusals) => {
                ReconcileResult::refused(&refusals, record, enforcement)
            }
            NextAction::Report(plan) => ReconcileResult::drifted(&plan, record, enforcement),
        })
    }

    async fn apply(&self, plan: &Plan, observed: &Observed) -> Ensured {
        let record = &observed.record;
        let noted = in_progress::before_writes(self.profile, plan, record, self.context).await;
        let noted = match noted {
            Ok(noted) => noted,
            Err(error) => return Ensured::without_work(self.failed(&error, record.clone(), None)),
        };
        let mut applier = Applier {
            profile: noted.as_ref().unwrap_or(self.profile),
            owner: &self.desired.owner,
            record,
            context: self.context,
            progress: PlanProgress::begin(plan, observed),
            done: Vec::new(),
        };
        // Steps are large futures, and a reconciliation is one of many.
        let (applied, written) = Box::pin(self.apply_steps(plan, &mut applier)).await;
        let Applier { progress, done, .. } = applier;
        let record = progress.record(self.desired, record, applied.is_ok());
        let result = match applied {
            // Azure may have taken long, so the pods are read again.
            Ok(()) => ReconcileResult::made(self.desired, record, self.enforcement())
                .with_pods_problem(pods::problem(self.profile, self.context)),
            Err(error) => self.failed(&error, record, Some(&progress)),
        };
        Ensured {
            result,
            done,
            latest: written.or(noted),
        }
    }

    /// Does all steps, and returns the profile with the status that was written before role assignments
    /// were made, if there were new ones.
    async fn apply_steps(
        &self,
        plan: &Plan,
        applier: &mut Applier<'_>,
    ) -> (Result<(), StepError>, Option<PodIdentityProfile>) {
        let mut written = None;
        let mut noted = false;
        for step in &plan.steps {
            let grants = matches!(step, Step::GrantRole(_) | Step::GrantNodeRole(_));
            // Not before the identity is there: an assignment is named after its principal.
            if grants && !noted {
                noted = true;
                match self.note_grants(plan, applier).await {
                    Ok(latest) => written = latest,
                    Err(error) => return (Err(error), written),
                }
            }
            if let Err(error) = applier.perform(step).await {
                return (Err(error), written);
            }
        }
        (Ok(()), written)
    }

    /// Writes to the status which role assignments are about to be made, unless it has them already.
    async fn note_grants(
        &self,
        plan: &Plan,
        applier: &mut Applier<'_>,
    ) -> Result<Option<PodIdentityProfile>, StepError> {
        if !applier.progress.expect_grants(plan, applier.owner) {
            return Ok(None);
        }
        let record = applier.progress.record(self.desired, applier.record, false);
        let written = in_progress::note(applier.profile, GRANTING, record, self.context).await;
        written.map(Some).map_err(|source| {
            let what = "note the role assignments in the status before making them".to_owned();
            ErrorCause::ApiServer { what, source }.at(ConditionType::AccessReady)
        })
    }

    fn failed(
        &self,
        error: &StepError,
        record: ProfileRecord,
        progress: Option<&PlanProgress>,
    ) -> ReconcileResult {
        let identity = progress.and_then(|progress| progress.identity.as_ref());
        ReconcileResult::failed(&error.failure(), record, identity, self.enforcement())
    }

    fn enforcement(&self) -> SubCondition {
        pods::enforcement(
            self.policy.clone(),
            self.desired,
            self.profile,
            self.context,
        )
    }
}
