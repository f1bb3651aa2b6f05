//! Which profiles a change of the assignments concerns.

use super::failure::STILL_ASSIGNED;
use super::pods::{ASSIGNMENT_READY, PODS_KEEP_NET_RAW};
use crate::condition::{Condition, ConditionStatus, READY};

/// Whether the status may rest on what was not known, or was known before a restart: where identities are,
/// and the states of the pods. Every other difficulty has a wait of its own, which Azure may have asked for.
#[must_use]
pub fn waits_for_what_is_known_now<T>(is_deleted: bool, conditions: &[Condition<T>]) -> bool {
    let by_pods = |condition: &Condition<T>| {
        condition.kind == ASSIGNMENT_READY || condition.reason == PODS_KEEP_NET_RAW
    };
    let may_be_past = |condition: &Condition<T>| {
        condition.status != ConditionStatus::True
            && (by_pods(condition) || condition.reason == STILL_ASSIGNED)
    };
    is_deleted || conditions.iter().any(may_be_past)
}

/// Whether the status does not say yet how the pods are: the profile was made before anything was known of pods.
#[must_use]
pub fn is_not_told_of_pods<T>(conditions: &[Condition<T>]) -> bool {
    !conditions
        .iter()
        .any(|condition| condition.kind == ASSIGNMENT_READY)
}

/// Whether a profile may be waiting until no VM or scale set has its identity.
#[must_use]
pub fn may_wait_for_release<T>(is_deleted: bool, conditions: &[Condition<T>]) -> bool {
    let is_ready = |condition: &Condition<T>| {
        condition.kind == READY && condition.status == ConditionStatus::True
    };
    is_deleted || !conditions.iter().any(is_ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: &str, status: ConditionStatus, reason: &str) -> [Condition<()>; 1] {
        [Condition {
            kind: kind.into(),
            status,
            reason: reason.into(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: (),
        }]
    }

    #[test]
    fn a_status_without_a_word_on_pods_has_not_been_told_of_them() {
        use ConditionStatus::{False, True, Unknown};
        for status in [True, False, Unknown] {
            assert!(!is_not_told_of_pods(&condition(
                ASSIGNMENT_READY,
                status,
                "R"
            )));
            assert!(is_not_told_of_pods(&condition(READY, status, "R")));
        }
    }

    #[test]
    fn what_is_known_now_concerns_only_who_waits_for_it() {
        use ConditionStatus::{False, True, Unknown};
        let waits = |kind: &str, status, reason: &str| {
            waits_for_what_is_known_now(false, &condition(kind, status, reason))
        };
        assert!(waits(ASSIGNMENT_READY, False, "Any"));
        assert!(waits(ASSIGNMENT_READY, Unknown, "Any"));
        assert!(waits("EnforcementReady", False, PODS_KEEP_NET_RAW));
        assert!(waits("IdentityReady", False, STILL_ASSIGNED));
        assert!(!waits(ASSIGNMENT_READY, True, "Any"));
        assert!(
            !waits("IdentityReady", False, "TooManyRequests"),
            "Azure has said when to come back"
        );
        assert!(waits_for_what_is_known_now::<()>(true, &[]));
        assert!(!waits_for_what_is_known_now::<()>(false, &[]));
    }

    #[test]
    fn a_release_concerns_who_is_deleted_or_not_ready() {
        use ConditionStatus::{False, True};
        let ready = |status| condition(READY, status, "Any");
        assert!(may_wait_for_release(true, &ready(True)));
        assert!(!may_wait_for_release(false, &ready(True)));
        assert!(may_wait_for_release(false, &ready(False)));
        assert!(may_wait_for_release(
            false,
            &condition(ASSIGNMENT_READY, True, "Any")
        ));
        assert!(may_wait_for_release::<()>(false, &[]));
    }
}
