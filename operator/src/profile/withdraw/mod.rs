//! Takes away what a class does not allow any more (`limits.onNarrowing: Revoke`).

use podid_core::profile::ConditionType;
use podid_core::profile::observed::{Observed, ProfileRecord};
use podid_core::profile::plan::plan_withdrawal;
use podid_core::profile::progress::PlanProgress;
use podid_core::profile::result::ReconcileResult;
use podid_core::profile::withdrawal::Withdrawal;
use podid_crds::podid::PodIdentityProfile;

use super::ProfileContext;
use super::apply::Applier;
use super::ensure::Ensured;
use super::error::StepError;
use super::observe::{ReadScope, named_roles, observe};

/// Does what the withdrawal takes, and says in the result what is gone and why.
pub(super) async fn withdraw(
    profile: &PodIdentityProfile,
    withdrawal: &Withdrawal,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Ensured {
    let observed = match read(profile, withdrawal, record.clone(), context).await {
        Ok(observed) => observed,
        Err(error) => return failed(&error, withdrawal, record, Vec::new()),
    };
    let plan = plan_withdrawal(withdrawal, &observed);
    let mut applier = Applier {
        profile,
        owner: &withdrawal.owner,
        record: &observed.record,
        context,
        // The AzureIdentity goes on naming what it names, whichever identity was read.
        progress: PlanProgress {
            identity: None,
            ..PlanProgress::begin(&plan, &observed)
        },
        done: Vec::new(),
    };
    let mut outcome = Ok(());
    for step in &plan.steps {
        outcome = Box::pin(applier.perform(step)).await;
        if outcome.is_err() {
            break;
        }
    }
    let Applier { progress, done, .. } = applier;
    let record = progress.record_of_roles(&observed.record);
    match outcome {
        Ok(()) => Ensured {
            done,
            ..Ensured::without_work(ReconcileResult::withdrawn(withdrawal, record))
        },
        Err(error) => failed(&error, withdrawal, record, done),
    }
}

async fn read(
    profile: &PodIdentityProfile,
    withdrawal: &Withdrawal,
    record: ProfileRecord,
    context: &ProfileContext,
) -> Result<Observed, StepError> {
    let identity = record.identity.as_ref().map(|it| it.id.clone());
    let scope = ReadScope {
        profile,
        identity: identity.as_ref(),
        grants: &[],
        record,
    };
    let mut observed = observe(scope, context).await?;
    let named = named_roles(&withdrawal.named_roles(), context).await;
    observed.roles = named.map_err(|cause| cause.at(ConditionType::AccessReady))?;
    Ok(observed)
}

fn failed(
    error: &StepError,
    withdrawal: &Withdrawal,
    record: ProfileRecord,
    done: Vec<String>,
) -> Ensured {
    let result = ReconcileResult::withdrawal_failed(&error.failure(), withdrawal, record);
    Ensured {
        done,
        ..Ensured::without_work(result)
    }
}

#[cfg(test)]
mod tests;
