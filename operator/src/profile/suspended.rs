//! A profile whose author has suspended it: nothing is worked on, and what its pods come to still is
//! so.

use podid_core::condition::{ConditionStatus, ReconcileOutcome};
use podid_crds::podid::PodIdentityProfile;

use super::status::{Account, Report};
use super::verdict::{Again, Verdict};
use super::{Context, applied, enforcement, pods};

/// Looks, without a call to Azure, at what may change without an edit.
pub(super) async fn look(
    profile: &PodIdentityProfile,
    account: Account,
    context: &Context,
) -> Verdict {
    let applied = applied::is_current(profile);
    let outcome = ReconcileOutcome::Suspended {
        applied,
        hindrance: pods::hindrance(profile, context),
    };
    let mut verdict = Verdict::without_work(outcome, account);
    if applied {
        let net_raw = profile.spec.net_raw;
        let policy = enforcement::check(net_raw, &context.client).await;
        let enforcement = pods::include_breaches_of_bound(policy, net_raw, profile, context);
        if enforcement.status != ConditionStatus::True {
            // Nobody tells when a policy is installed.
            verdict.again = Again::AtInterval;
        }
        // What could not be read says nothing new.
        let known = Some(enforcement).filter(|part| part.status != ConditionStatus::Unknown);
        verdict.report = Report {
            parts: known.into_iter().collect(),
            ..verdict.report
        };
    }
    verdict
}
