//! Results that depend on pods, on suspension or on drift; what counts as applied.

use super::*;

#[test]
fn pods_take_readiness_away_and_nothing_else() {
    let ready = ReconcileResult::made(&desired(), record(), in_force());
    assert_eq!(ready.clone().with_pods_problem(None), ready);
    let hit = ready.clone().with_pods_problem(Some("grant it".into()));
    let message = "grant it".to_owned();
    assert_eq!(hit.outcome, ReconcileOutcome::Retrying { message });
    assert_eq!(hit.sub_conditions, ready.sub_conditions);
    assert_eq!(hit.requeue, Requeue::AtInterval, "pods are watched");

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
    assert!(said(&plan).contains("\"podid plans 1 change and leaves"));
    plan.steps.push(step);
    assert!(said(&plan).contains("\"podid plans 2 changes and leaves"));
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
