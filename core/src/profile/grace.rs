//! How long pods of a profile that is being deleted keep its identity.

use std::time::Duration;

use super::pods::BoundPods;

/// The grace of a profile that gives none: that which Kubernetes gives a pod to end.
pub const DEFAULT_DELETION_GRACE: Duration = Duration::from_secs(30);

/// The longest grace. It also holds for a profile that was written under another schema.
pub const LONGEST_DELETION_GRACE: Duration = Duration::from_secs(3600);

/// How long a deletion still waits for the pods of the profile; `None` when it takes the identity from those that are
/// left. It goes by the time of the deletion alone: pods that come meanwhile, and a restart of the operator, do not
/// prolong it. While nothing is known of `pods`, there may be some.
#[must_use]
pub fn deletion_wait(
    grace: Duration,
    since_deletion: Duration,
    pods: Option<&BoundPods>,
) -> Option<Duration> {
    let left = grace.saturating_sub(since_deletion);
    let may_serve = pods.is_none_or(|pods| pods.served() > 0);
    (may_serve && !left.is_zero()).then_some(left)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::binding::Unserved;
    use crate::profile::pods::PodState;

    fn pods(states: &[PodState]) -> BoundPods {
        let mut pods = BoundPods::default();
        for state in states {
            pods.add("web", state, &BTreeSet::new());
        }
        pods
    }

    proptest! {
        #[test]
        fn a_deletion_waits_for_pods_and_never_beyond_the_grace(
            grace in 0_u64..100,
            since in 0_u64..100,
            count in prop::option::of(0_usize..3),
        ) {
            let (grace, since) = (Duration::from_secs(grace), Duration::from_secs(since));
            let bound = count.map(|count| pods(&vec![PodState::Assigned; count]));
            let wait = deletion_wait(grace, since, bound.as_ref());
            let waits = count != Some(0) && since < grace;
            prop_assert_eq!(wait, waits.then(|| grace - since));
        }
    }

    #[test]
    fn pods_that_get_no_identity_are_not_waited_for() {
        let grace = DEFAULT_DELETION_GRACE;
        let refused = [
            PodState::Refused(BTreeSet::new()),
            PodState::Unserved(Unserved::HostNetwork),
        ];
        assert_eq!(
            deletion_wait(grace, Duration::ZERO, Some(&pods(&refused))),
            None
        );
        let under_way = PodState::UnderWay {
            late: false,
            failure: None,
        };
        let some = pods(&[refused[0].clone(), under_way]);
        assert_eq!(
            deletion_wait(grace, Duration::ZERO, Some(&some)),
            Some(grace)
        );
    }
}
