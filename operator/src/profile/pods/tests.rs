use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::condition::{ConditionStatus, SubCondition};
use podid_core::net_raw::Breach;
use podid_core::net_raw::NetRaw;
use podid_core::profile::pods::{ASSIGNMENT_READY, BoundPods, NamedPods, PodState};
use podid_crds::podid::PodIdentityProfileStatus;

use super::effect::with_breaches;
use super::*;
use crate::conditions::now;

fn pods(states: &[(&str, PodState)]) -> BoundPods {
    let mut pods = BoundPods::default();
    for (name, state) in states {
        pods.add(name, state, &BTreeSet::new());
    }
    pods
}

fn refused() -> PodState {
    PodState::Refused([Breach::KeepsNetRaw("app".into())].into())
}

fn failed(reason: &str) -> PodState {
    PodState::Failed(AssignmentFailure {
        reason: reason.into(),
        message: format!("mend {reason}"),
    })
}

fn policy() -> SubCondition {
    SubCondition {
        kind: "EnforcementReady",
        status: ConditionStatus::True,
        reason: "Enforced".into(),
        message: "the policy holds".into(),
    }
}

#[test]
fn only_what_changes_readiness_is_news() {
    let (assignments, _changes) = Assignments::new();
    let key = ObjectKey::new("apps", "web");
    let mut effects = Effects::default();
    let mut news = |states: &[(&str, PodState)]| {
        assignments.set_bound_pods(&key, pods(states));
        effects.are_news(&key, &assignments)
    };
    assert!(!news(&[("a", refused())]), "nothing is known yet");
    assignments.set_known();
    assert!(!news(&[("a", PodState::Assigned)]));
    assert!(news(&[("a", failed("Forbidden"))]));
    assert!(!news(&[
        ("a", failed("Forbidden")),
        ("b", failed("Forbidden"))
    ]));
    assert!(news(&[("a", failed("Throttled"))]));
    assert!(news(&[("a", refused())]));
    assert!(!news(&[("a", refused()), ("b", PodState::Assigned)]));
    assert!(news(&[("a", refused()), ("b", refused())]));
    assert!(news(&[]));
    assert!(!news(&[]));
}

#[test]
fn enforcement_is_not_ready_while_pods_break_the_rule_and_audit_only_reports() {
    let none = NamedPods::default();
    let pods = pods(&[
        ("b", refused()),
        ("a", refused()),
        ("c", PodState::Assigned),
    ]);
    let part = with_breaches(policy(), NetRaw::Enforce, &pods, &none);
    assert_eq!(
        (part.status, part.reason.as_str()),
        (ConditionStatus::False, PODS_KEEP_NET_RAW)
    );
    let named = "a (container app does not drop NET_RAW), b (container app does not drop NET_RAW)";
    assert!(
        part.message.starts_with("correct the pods' template"),
        "{}",
        part.message
    );
    assert!(part.message.ends_with(named), "{}", part.message);
    assert_eq!(
        with_breaches(policy(), NetRaw::Ignore, &pods, &none),
        policy()
    );

    let mut audited = BoundPods::default();
    let breaches = [Breach::HostPid].into();
    audited.add("a", &PodState::Assigned, &breaches);
    let part = with_breaches(policy(), NetRaw::Audit, &audited, &none);
    assert_eq!(part.status, ConditionStatus::True);
    assert!(
        part.message.contains("a (the pod sets hostPID: true)"),
        "{}",
        part.message
    );
    assert_eq!(
        with_breaches(policy(), NetRaw::Enforce, &audited, &none),
        policy()
    );
}

#[test]
fn the_two_owners_of_a_status_leave_each_other_alone() {
    let condition = |kind: &str| meta::Condition {
        type_: kind.into(),
        status: "True".into(),
        reason: "R".into(),
        message: "m".into(),
        observed_generation: Some(1),
        last_transition_time: now(),
    };
    let old = PodIdentityProfileStatus {
        conditions: Some(vec![condition("Ready"), condition(ASSIGNMENT_READY)]),
        bound_pods: Some(2),
        assigned_pods: Some(1),
        refused_pods: Some(Vec::new()),
        refused_pod_count: Some(1),
        observed_generation: Some(7),
        ..PodIdentityProfileStatus::default()
    };
    let rest = without_pods(old.clone());
    assert_eq!(of_pods(&rest), PodIdentityProfileStatus::default());
    assert_eq!(rest.observed_generation, Some(7));
    assert_eq!(keeping_pods(rest, &old), old);
}
