//! Revokes what the kubelet identity may do for all profiles of a class, when the last of these is deleted.
//!
//! **Two that end at once.** Each is noted as ended under a lock before the others are counted, so that one of them is the
//! last.
//!
//! **One that begins meanwhile.** A profile may have found a role that is revoked then. It was in the store before it looked,
//! so it is found there after the role is revoked, and read again: its own plan grants the role anew. After a crash in
//! between, the next operator looks at all profiles.

use std::collections::BTreeSet;
use std::sync::Arc;

use podid_core::class::Class;
use podid_core::owner::Owner;
use podid_core::profile::observed::{Observed, ProfileRecord};
use podid_core::profile::plan::{Plan, plan_release};
use podid_core::profile::reads::assignment_lists;
use podid_core::profile::shared_roles::unneeded_roles;
use podid_core::profile::{ConditionType, desired::Grant};
use podid_crds::podid::PodIdentityProfile;

use super::error::StepError;
use super::observe::role_assignments;
use super::precheck::core_class;
use super::{ProfileContext, queued};

/// The steps that revoke the shared roles that no profile needs any more, now that all else of this one is undone.
pub(super) async fn plan(
    profile: &PodIdentityProfile,
    owner: &Owner,
    context: &ProfileContext,
) -> Result<Plan, StepError> {
    let others = context.ended.end(profile, &context.profiles);
    let unneeded = match core_class(profile, context) {
        Some(class) => unneeded_roles(&class, &classes(&others, context)),
        None => Vec::new(),
    };
    if unneeded.is_empty() {
        return Ok(Plan::default());
    }
    let observed = observe(&unneeded, context).await?;
    Ok(plan_release(owner, &unneeded, &observed))
}

/// Has the other profiles read again, which may have found what is revoked now.
pub(super) fn read_others_again(context: &ProfileContext) {
    for other in context.ended.others(&context.profiles) {
        queued::read_again(&other, context);
    }
}

/// The classes of the profiles for which something was made or may be, each once; `None` stands for those that are missing.
fn classes(others: &[Arc<PodIdentityProfile>], context: &ProfileContext) -> Vec<Option<Class>> {
    let each_once: BTreeSet<(&str, bool)> = others
        .iter()
        .map(|other| (other.spec.class_name.as_str(), was_made(other)))
        .collect();
    let found = each_once.into_iter().filter_map(|(name, was_made)| {
        let class = super::precheck::class_named(name, context);
        // A profile that waits for a class that never was needs nothing.
        (class.is_some() || was_made).then_some(class)
    });
    found.collect()
}

/// Whether the status of the profile records anything that podid made or found.
pub(super) fn was_made(profile: &PodIdentityProfile) -> bool {
    podid_crds::convert::record(profile) != ProfileRecord::default()
}

async fn observe(grants: &[Grant], context: &ProfileContext) -> Result<Observed, StepError> {
    let lists = assignment_lists(None, grants, &ProfileRecord::default());
    let listed = role_assignments(lists, context).await;
    Ok(Observed {
        role_assignments: listed.map_err(|cause| cause.at(ConditionType::AccessReady))?,
        ..Observed::default()
    })
}

#[cfg(test)]
mod tests;
