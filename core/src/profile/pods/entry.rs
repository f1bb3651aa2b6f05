//! What one pod adds to the counts of the profiles that bind it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::PodState;
use crate::assigned_identity::{AssignmentState, IdentityProgress};
use crate::binding::{AzureIdentity, Pod, PodIdentities, RefusalCause};
use crate::net_raw::{Breach, NetRaw};
use crate::object_key::ObjectKey;

/// One pod's use of one AzureIdentity, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodCountEntry {
    #[allow(missing_docs, reason = "the name is enough")]
    pub state: PodState,
    /// In which ways the pod breaks a rule that is only audited.
    pub audited: BTreeSet<Breach>,
}

/// What a pod adds to the counts of each profile that binds it. Nothing is late yet:
/// [`PodCounts`](super::PodCounts) knows for how long the pod waits.
#[must_use]
pub fn pod_count_entries(
    pod: &Pod,
    identities: &PodIdentities,
    progress: &[IdentityProgress<'_>],
) -> BTreeMap<ObjectKey, PodCountEntry> {
    if let Some(refused) = &identities.refused {
        let entry = PodCountEntry {
            state: match &refused.cause {
                RefusalCause::BreaksRule(breaches) => PodState::Refused(breaches.clone()),
                RefusalCause::Unserved(kind) => PodState::Unserved(*kind),
            },
            audited: BTreeSet::new(),
        };
        let profiles = refused.identities.iter().filter_map(AzureIdentity::profile);
        return profiles.map(|profile| (profile, entry.clone())).collect();
    }
    let entry = |progress: &IdentityProgress<'_>| {
        let identity = &progress.assignment.identity;
        let audited = match identity.net_raw {
            NetRaw::Audit => pod.breaches.clone(),
            NetRaw::Enforce | NetRaw::Ignore => BTreeSet::new(),
        };
        let state = pod_state(progress);
        Some((identity.profile()?, PodCountEntry { state, audited }))
    };
    progress.iter().filter_map(entry).collect()
}

fn pod_state(progress: &IdentityProgress<'_>) -> PodState {
    match &progress.state {
        AssignmentState::Assigned => PodState::Assigned,
        AssignmentState::Created => PodState::UnderWay {
            late: false,
            failure: progress.failure.clone(),
        },
        AssignmentState::Failed(failure) => PodState::Failed(failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assigned_identity::AssignmentFailure;
    use crate::binding::{AzureIdentityType, ServingRules, pod_identities};
    use crate::owner::Origin;
    use crate::testing::{binding, id, identity, pod};

    fn breaches() -> BTreeSet<Breach> {
        [Breach::KeepsNetRaw("app".into())].into()
    }

    /// What a pod adds that does not drop `NET_RAW`, is bound to an identity, and is so far with it.
    fn entry(origin: Origin, net_raw: NetRaw, state: &AssignmentState) -> Option<PodCountEntry> {
        let pod = Pod {
            breaches: breaches(),
            ..pod()
        };
        let identity = AzureIdentity {
            origin,
            net_raw,
            ..identity("web", AzureIdentityType::Managed, id("a"))
        };
        let binding = binding("b", "web");
        let identities = pod_identities(&pod, [&binding], [&identity], ServingRules::default());
        let wanted = identities.wanted.iter();
        let progress = wanted.map(|assignment| IdentityProgress {
            assignment,
            state: state.clone(),
            failure: None,
            is_refused: false,
        });
        let progress: Vec<_> = progress.collect();
        let mut entries = pod_count_entries(&pod, &identities, &progress);
        entries.remove(&ObjectKey::new("apps", "web"))
    }

    #[test]
    fn only_pods_of_profiles_are_counted_and_those_that_break_the_rule_by_what_it_asks() {
        let of = |net_raw| {
            let entry = entry(Origin::Profile, net_raw, &AssignmentState::Assigned);
            entry.expect("a profile's")
        };
        assert_eq!(of(NetRaw::Enforce).state, PodState::Refused(breaches()));
        assert_eq!(of(NetRaw::Enforce).audited, BTreeSet::new());
        assert_eq!(of(NetRaw::Audit).state, PodState::Assigned);
        assert_eq!(of(NetRaw::Audit).audited, breaches());
        assert_eq!(of(NetRaw::Ignore).state, PodState::Assigned);
        assert_eq!(of(NetRaw::Ignore).audited, BTreeSet::new());
        for net_raw in [NetRaw::Enforce, NetRaw::Audit, NetRaw::Ignore] {
            let by_hand = entry(Origin::HandWritten, net_raw, &AssignmentState::Assigned);
            assert_eq!(by_hand, None, "{net_raw:?}");
        }
    }

    #[test]
    fn a_pod_counts_by_how_far_it_is() {
        let failure = AssignmentFailure {
            reason: "LinkedAuthorizationFailed".into(),
            message: "grant it".into(),
        };
        let under_way = PodState::UnderWay {
            late: false,
            failure: None,
        };
        for (state, expected) in [
            (AssignmentState::Created, under_way),
            (
                AssignmentState::Failed(failure.clone()),
                PodState::Failed(failure),
            ),
        ] {
            let entry = entry(Origin::Profile, NetRaw::Ignore, &state);
            assert_eq!(entry.map(|entry| entry.state), Some(expected));
        }
    }
}
