//! A profile whose author has suspended it: nothing is worked on, and the status still says how its
//! pods are.

use podid_core::profile::observed::ProfileRecord;
use podid_core::profile::result::ReconcileResult;
use podid_crds::podid::PodIdentityProfile;

use super::{ProfileContext, enforcement, pods, spec_digest};

/// Reads, without a call to Azure, what may change without an edit.
pub(super) async fn look(
    profile: &PodIdentityProfile,
    record: ProfileRecord,
    context: &ProfileContext,
) -> ReconcileResult {
    let problem = pods::problem(profile, context);
    // A spec that was never applied binds no pods, and asks for no policy.
    if !spec_digest::is_applied(profile) {
        return ReconcileResult::suspended(record, problem, None);
    }
    let net_raw = profile.spec.net_raw;
    let policy = enforcement::policy(net_raw, context).await;
    let enforcement = pods::enforcement_of_bound(policy, net_raw, profile, context);
    ReconcileResult::suspended(record, problem, Some(enforcement))
}
