use std::collections::BTreeSet;

use super::*;
use crate::assigned_identity::AssignmentFailure;
use crate::net_raw::Breach;
use crate::policy::PolicyPart;
use crate::profile::pods::PodState;

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
    policy_condition(NetRaw::Enforce, PolicyState::Installed("the-policy"))
}

fn with_pods(net_raw: NetRaw, pods: &BoundPods) -> SubCondition {
    enforcement::<()>(policy(), net_raw, Some(pods), &NamedPods::default(), &[])
}

fn condition(kind: &str, status: ConditionStatus, reason: &str) -> Condition<u8> {
    Condition {
        kind: kind.into(),
        status,
        reason: reason.into(),
        message: "0 of 1 pod: mend it".into(),
        observed_generation: Some(3),
        last_transition_time: 1,
    }
}

#[test]
fn the_effect_changes_with_causes_and_refused_pods_only() {
    let effect = |states: &[(&str, PodState)]| pods(states).effect();
    let none = PodEffect::default();
    assert_eq!(effect(&[]), none);
    assert_eq!(effect(&[("a", PodState::Assigned)]), none);
    let forbidden = effect(&[("a", failed("Forbidden"))]);
    assert_ne!(forbidden, none);
    assert_eq!(
        effect(&[("a", failed("Forbidden")), ("b", failed("Forbidden"))]),
        forbidden
    );
    assert_ne!(effect(&[("a", failed("Throttled"))]), forbidden);
    let one = effect(&[("a", refused())]);
    assert_eq!(effect(&[("a", refused()), ("b", PodState::Assigned)]), one);
    assert_ne!(effect(&[("a", refused()), ("b", refused())]), one);
}

#[test]
fn enforcement_is_not_ready_while_pods_break_the_rule_and_audit_only_reports() {
    let pods = pods(&[
        ("b", refused()),
        ("a", refused()),
        ("c", PodState::Assigned),
    ]);
    let part = with_pods(NetRaw::Enforce, &pods);
    assert_eq!(
        (part.status, part.reason.as_str()),
        (ConditionStatus::False, PODS_KEEP_NET_RAW)
    );
    let named = "a (container app does not drop NET_RAW), b (container app does not drop NET_RAW)";
    assert!(
        part.message.starts_with(
            "bound pods get no identity, because they break the NET_RAW rule; correct"
        ),
        "{}",
        part.message
    );
    assert!(part.message.ends_with(named), "{}", part.message);
    assert_eq!(with_pods(NetRaw::Ignore, &pods), policy());

    let mut audited = BoundPods::default();
    let breaches = [Breach::HostPid].into();
    audited.add("a", &PodState::Assigned, &breaches);
    let part = with_pods(NetRaw::Audit, &audited);
    assert_eq!(part.status, ConditionStatus::True);
    assert!(
        part.message.contains("a (the pod sets hostPID: true)"),
        "{}",
        part.message
    );
    assert_eq!(with_pods(NetRaw::Enforce, &audited), policy());
    assert_eq!(with_pods(NetRaw::Audit, &BoundPods::default()), policy());
}

#[test]
fn pods_about_to_be_bound_count_until_bound_ones_do() {
    let pod = |name: &str, account: &str| Pod {
        name: name.into(),
        service_account: account.into(),
        breaches: [Breach::HostPid].into(),
        ..crate::testing::pod()
    };
    let binding = DesiredBinding {
        selector: "web".into(),
        service_accounts: ["web".to_owned()].into(),
    };
    let next = about_to_be_bound(&[pod("a", "web"), pod("b", "other")], &binding);
    assert_eq!(next.count, 1);
    let of = |pods: &BoundPods| {
        enforcement::<()>(policy(), NetRaw::Enforce, Some(pods), &next, &[]).message
    };
    assert!(of(&BoundPods::default()).contains("a (the pod sets hostPID"));
    assert!(of(&pods(&[("z", refused())])).contains("z (container app"));
}

#[test]
fn a_missing_policy_is_said_whatever_pods_do() {
    let missing = policy_condition(NetRaw::Enforce, PolicyState::Missing("the-policy"));
    assert_eq!(
        (missing.status, &*missing.reason),
        (ConditionStatus::False, "PolicyMissing")
    );
    let pods = pods(&[("a", refused())]);
    let none = NamedPods::default();
    let part = enforcement::<()>(missing.clone(), NetRaw::Enforce, Some(&pods), &none, &[]);
    assert_eq!(part, missing);
}

#[test]
fn what_the_policy_comes_to_is_said_in_words() {
    let said = |net_raw, state| {
        let part = policy_condition(net_raw, state);
        assert_eq!(part.kind, "EnforcementReady");
        (part.status, part.reason)
    };
    let is = |reason: &str| (ConditionStatus::True, reason.to_owned());
    assert_eq!(
        said(NetRaw::Enforce, PolicyState::Installed("p")),
        is("Enforced")
    );
    assert_eq!(
        said(NetRaw::Audit, PolicyState::Installed("p")),
        is("Audited")
    );
    assert_eq!(said(NetRaw::Ignore, PolicyState::NotNeeded), is("Ignored"));
    let changed = ConditionStatus::False;
    for state in [
        PolicyState::Changed("p", PolicyPart::Binding),
        PolicyState::Changed("p", PolicyPart::Rule),
    ] {
        let expected = (changed, "PolicyChanged".to_owned());
        assert_eq!(said(NetRaw::Enforce, state), expected);
    }
    let unread = PolicyState::NotRead("no answer".into());
    let expected = (ConditionStatus::Unknown, "ApiServerRefused".to_owned());
    assert_eq!(said(NetRaw::Enforce, unread), expected);
}

#[test]
fn until_pods_are_known_the_status_counts() {
    use ConditionStatus::{False, True};
    let none = NamedPods::default();
    let of =
        |reported: &[Condition<u8>]| enforcement(policy(), NetRaw::Enforce, None, &none, reported);
    let breaches = [condition("EnforcementReady", False, PODS_KEEP_NET_RAW)];
    assert_eq!(of(&breaches).message, "0 of 1 pod: mend it");
    assert_eq!(of(&[]), policy());
    assert_eq!(
        of(&[condition("EnforcementReady", False, "PolicyMissing")]),
        policy()
    );

    let problem = |status| pods_problem(None, &[condition(ASSIGNMENT_READY, status, "R")]);
    assert_eq!(problem(False).as_deref(), Some("mend it"));
    assert_eq!(problem(True), None);
    let known = BoundPods::default();
    let reported = [condition(ASSIGNMENT_READY, False, "R")];
    assert_eq!(
        pods_problem(Some(&known), &reported),
        None,
        "they are known"
    );
}

#[test]
fn assignment_ready_speaks_of_the_applied_binding() {
    use ConditionStatus::{False, True};
    let pods = BoundPods::default();
    let of = |reported: &[Condition<u8>]| assignment_ready(&pods, reported, &9);
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[condition("BindingReady", False, "R")]), None);

    let first = of(&[condition("BindingReady", True, "Bound")]).expect("a condition");
    assert_eq!((first.status, first.observed_generation), (True, Some(3)));
    assert_eq!(first.last_transition_time, 9);

    let before = condition(ASSIGNMENT_READY, True, "NoPods");
    let same = of(std::slice::from_ref(&before)).expect("a condition");
    assert_eq!(same.last_transition_time, 1, "its status is the same");
    let before = condition(ASSIGNMENT_READY, False, "R");
    let other = of(std::slice::from_ref(&before)).expect("a condition");
    assert_eq!(other.last_transition_time, 9);
}
