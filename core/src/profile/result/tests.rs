use super::*;
use crate::arm::ArmId;
use crate::call_failure::{CallFailure, CallFailureClass};
use crate::profile::admit::admit;
use crate::profile::admit::tests::{class, profile};
use crate::profile::failure::FailureCause;
use crate::profile::observed::RecordedRoleAssignment;

fn desired() -> Desired {
    admit(&profile(), &class()).expect("admitted")
}

fn enforcement(status: ConditionStatus, reason: &str) -> SubCondition {
    SubCondition {
        kind: ConditionType::EnforcementReady.as_str(),
        status,
        reason: reason.into(),
        message: "about the policy".into(),
    }
}

fn in_force() -> SubCondition {
    enforcement(ConditionStatus::True, "Enforced")
}

fn assignment(principal_id: &str) -> RecordedRoleAssignment {
    RecordedRoleAssignment {
        id: ArmId::new("/a"),
        role: "Reader".into(),
        scope: ArmId::new("/subscriptions/s"),
        principal_id: principal_id.into(),
        created: true,
    }
}

fn record() -> ProfileRecord {
    ProfileRecord {
        identity: Some(RecordedIdentity {
            id: desired().identity.id,
            client_id: "client".into(),
            principal_id: "principal".into(),
            tenant_id: "tenant".into(),
            created: true,
        }),
        assignments: vec![assignment("PRINCIPAL"), assignment("kubelet")],
    }
}

fn shown() -> ManagedIdentity {
    ManagedIdentity {
        id: desired().identity.id,
        location: "westeurope".into(),
        tags: Default::default(),
        client_id: "client".into(),
        principal_id: "principal".into(),
        tenant_id: "tenant".into(),
    }
}

fn failure(condition: ConditionType, cause: FailureCause) -> StepFailure {
    StepFailure {
        condition,
        cause,
        message: "do this".into(),
    }
}

fn kinds(result: &ReconcileResult) -> Vec<(&str, ConditionStatus, &str)> {
    let parts = result.sub_conditions.iter();
    parts
        .map(|it| (it.kind, it.status, it.reason.as_str()))
        .collect()
}

fn backoff(seconds: Option<u64>) -> Requeue {
    Requeue::WithBackoff {
        at_least: seconds.map(Duration::from_secs),
    }
}

#[test]
fn a_profile_is_ready_when_all_is_made_and_the_rule_is_in_force() {
    let result = ReconcileResult::made(&desired(), record(), in_force());
    let ReconcileOutcome::Ready { message } = &result.outcome else {
        panic!("{result:?}");
    };
    assert!(
        message.contains("(client id client), 1 role, pods with aadpodidbinding=cart"),
        "{message}"
    );
    assert_eq!(
        kinds(&result),
        [
            ("IdentityReady", ConditionStatus::True, "Created"),
            ("AccessReady", ConditionStatus::True, "Granted"),
            ("BindingReady", ConditionStatus::True, "Bound"),
            ("EnforcementReady", ConditionStatus::True, "Enforced"),
        ]
    );
    assert_eq!(
        result.sub_conditions[1].message,
        "the identity holds 1 role, the kubelet identity holds 1 role on it"
    );
    assert_eq!(result.requeue, Requeue::AtInterval);
}

#[test]
fn a_rule_that_is_not_in_force_is_waited_for() {
    for (status, reason, requeue) in [
        (
            ConditionStatus::False,
            PODS_KEEP_NET_RAW,
            Requeue::AtInterval,
        ),
        (ConditionStatus::False, "PolicyMissing", backoff(None)),
        (ConditionStatus::Unknown, "ApiServerRefused", backoff(None)),
    ] {
        let result = ReconcileResult::made(&desired(), record(), enforcement(status, reason));
        let message = "about the policy".to_owned();
        assert_eq!(result.outcome, ReconcileOutcome::Waiting { message });
        assert_eq!(result.requeue, requeue, "{reason}");
    }
}

#[test]
fn a_failure_says_only_what_was_found_out() {
    use ConditionType::{AccessReady, IdentityReady};
    let api_server = |at| failure(at, FailureCause::ApiServer);
    let hit = ("AccessReady", ConditionStatus::False, "ApiServerRefused");
    let rule = ("EnforcementReady", ConditionStatus::True, "Enforced");
    let made = ("IdentityReady", ConditionStatus::True, "Created");

    let identity = shown();
    let result = ReconcileResult::failed(
        &api_server(AccessReady),
        record(),
        Some(&identity),
        in_force(),
    );
    assert_eq!(kinds(&result), [hit, rule, made]);
    assert_eq!(result.requeue, backoff(None));

    let result = ReconcileResult::failed(&api_server(AccessReady), record(), None, in_force());
    assert_eq!(kinds(&result), [hit, rule], "Azure was not asked");

    let former = ManagedIdentity {
        id: crate::testing::id("other"),
        ..shown()
    };
    let result = ReconcileResult::failed(
        &api_server(AccessReady),
        record(),
        Some(&former),
        in_force(),
    );
    assert_eq!(
        kinds(&result),
        [hit, rule],
        "the record is about the former one"
    );

    let result = ReconcileResult::failed(
        &api_server(IdentityReady),
        record(),
        Some(&identity),
        in_force(),
    );
    assert_eq!(result.sub_conditions.len(), 2);
    assert_eq!(result.sub_conditions[0].status, ConditionStatus::False);
}

#[test]
fn what_stalls_is_looked_at_at_the_interval_and_the_rest_sooner() {
    let at = ConditionType::IdentityReady;
    let stalled = failure(at, FailureCause::NotAnIdentity);
    let result = ReconcileResult::failed(&stalled, record(), None, in_force());
    assert_eq!(result.requeue, Requeue::AtInterval);
    let throttled = FailureCause::Azure(CallFailure {
        class: CallFailureClass::Transient,
        code: None,
        fallback_reason: "Throttled",
        retry_after: Some(Duration::from_secs(9)),
    });
    let result =
        ReconcileResult::failed(&failure(at, throttled.clone()), record(), None, in_force());
    assert_eq!(result.requeue, backoff(Some(9)));
    let result = ReconcileResult::deletion_failed(&failure(at, throttled), record());
    assert_eq!(result.requeue, backoff(Some(9)));
    assert_eq!(result.record, record());
}

#[test]
fn only_refusals_that_may_pass_are_tried_again() {
    let passing = || PlanRefusal::NothingToAdopt {
        id: crate::testing::id("a"),
    };
    let lasting = || PlanRefusal::ForeignChild {
        kind: "AzureIdentity",
        namespace: "ns".into(),
        name: "p".into(),
        applied_by: None,
    };
    let result = ReconcileResult::refused(&[passing()], record(), in_force());
    assert_eq!(result.requeue, backoff(None));
    assert!(matches!(result.outcome, ReconcileOutcome::Retrying { .. }));
    assert_eq!(
        kinds(&result)[0],
        ("IdentityReady", ConditionStatus::False, "IdentityNotFound")
    );

    let result = ReconcileResult::refused(&[passing(), lasting()], record(), in_force());
    assert_eq!(result.requeue, Requeue::AtInterval);
    assert!(
        matches!(&result.outcome, ReconcileOutcome::Stalled { reason, message }
            if reason == "IdentityNotFound" && message.contains(" | ")),
        "{result:?}"
    );
    assert_eq!(
        kinds(&result)[1],
        ("BindingReady", ConditionStatus::False, "ObjectExists")
    );
}

#[test]
fn pods_take_readiness_away_and_nothing_else() {
    let ready = ReconcileResult::made(&desired(), record(), in_force());
    assert_eq!(ready.clone().with_pods_problem(None), ready);
    let hit = ready.clone().with_pods_problem(Some("grant it".into()));
    let message = "grant it".to_owned();
    assert_eq!(hit.outcome, ReconcileOutcome::Retrying { message });
    assert_eq!(hit.sub_conditions, ready.sub_conditions);

    let missing = enforcement(ConditionStatus::False, "PolicyMissing");
    let waiting = ReconcileResult::made(&desired(), record(), missing);
    let same = waiting.clone().with_pods_problem(Some("grant it".into()));
    assert_eq!(same, waiting, "the first reason stays");
}

#[test]
fn a_suspended_profile_is_looked_at_again_only_for_what_is_not_watched() {
    let of = |enforcement| ReconcileResult::suspended(record(), None, enforcement);
    let unapplied = of(None);
    assert_eq!(unapplied.requeue, Requeue::OnChange);
    assert!(matches!(
        unapplied.outcome,
        ReconcileOutcome::Suspended { applied: false, .. }
    ));
    assert_eq!(of(Some(in_force())).requeue, Requeue::OnChange);
    let missing = of(Some(enforcement(ConditionStatus::False, "PolicyMissing")));
    assert_eq!(
        (missing.requeue, missing.sub_conditions.len()),
        (Requeue::AtInterval, 1)
    );
    let unread = of(Some(enforcement(
        ConditionStatus::Unknown,
        "ApiServerRefused",
    )));
    assert_eq!(
        (unread.requeue, unread.sub_conditions.len()),
        (Requeue::AtInterval, 0)
    );
}

#[test]
fn drift_is_counted_and_listed() {
    let step = crate::profile::plan::Step::AdoptIdentity {
        id: crate::testing::id("a"),
    };
    let mut plan = Plan {
        steps: vec![step.clone()],
        held: Vec::new(),
    };
    let said = |plan: &Plan| {
        let result = ReconcileResult::drifted(plan, record(), in_force());
        assert_eq!(result.planned.len(), plan.steps.len());
        format!("{:?}", result.outcome)
    };
    assert!(said(&plan).contains("DriftDetected"));
    assert!(said(&plan).contains("\"1 change is planned"));
    plan.steps.push(step);
    assert!(said(&plan).contains("\"2 changes are planned"));
}

/// Admission goes by the binding in the status, so only one that was applied may change it.
#[test]
fn a_binding_counts_as_applied_when_it_was_made_and_not_only_planned() {
    let made = ReconcileResult::made(&desired(), record(), in_force());
    assert!(is_binding_applied(&made));
    let planned = ReconcileResult {
        planned: vec!["apply AzureIdentityBinding".into()],
        ..made.clone()
    };
    assert!(!is_binding_applied(&planned));
    let at = ConditionType::BindingReady;
    let failed = failure(at, FailureCause::ApiServer);
    assert!(!is_binding_applied(&ReconcileResult::failed(
        &failed,
        record(),
        None,
        in_force()
    )));
    assert!(!is_binding_applied(&ReconcileResult::suspended(
        record(),
        None,
        Some(in_force())
    )));
}

#[test]
fn the_spec_is_applied_when_all_of_it_is_made_and_a_suspended_one_keeps_its_note() {
    let (current, noted) = (Some("new".to_owned()), Some("old".to_owned()));
    let note = |result: &ReconcileResult| applied_spec(result, current.clone(), noted.clone());
    let made = ReconcileResult::made(&desired(), record(), in_force());
    assert_eq!(note(&made), current);
    let problem = made.clone().with_pods_problem(Some("grant it".into()));
    assert_eq!(
        note(&problem),
        current,
        "pods that are refused unmake nothing"
    );
    assert_eq!(
        note(&ReconcileResult::suspended(record(), None, None)),
        noted
    );
    for missing in 0..ConditionType::MADE.len() {
        let mut partly = made.clone();
        partly.sub_conditions.remove(missing);
        assert_eq!(note(&partly), None);
    }
    assert!(is_applied(Some("a"), Some("a")));
    assert!(!is_applied(Some("a"), Some("b")) && !is_applied(None, None));
}
