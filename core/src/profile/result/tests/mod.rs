mod pods_and_suspension;

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
        role_assignments: vec![assignment("PRINCIPAL"), assignment("kubelet")],
        ..ProfileRecord::default()
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
        message.contains("(client id client) has 1 role and serves pods with aadpodidbinding=cart"),
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
fn the_roles_of_the_identity_are_counted_apart_from_those_of_the_kubelet_identity() {
    for (own, of_kubelet, expected) in [
        (
            2,
            0,
            "the identity holds 2 roles, the kubelet identity holds 0 roles on it",
        ),
        (
            0,
            1,
            "the identity holds 0 roles, the kubelet identity holds 1 role on it",
        ),
    ] {
        let mut record = record();
        record.role_assignments = vec![assignment("Principal"); own];
        record
            .role_assignments
            .extend(vec![assignment("kubelet"); of_kubelet]);
        let result = ReconcileResult::made(&desired(), record, in_force());
        assert_eq!(result.sub_conditions[1].message, expected);
    }
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

fn withdrawal(narrow: impl FnOnce(&mut crate::class::Class)) -> Withdrawal {
    let mut class = class();
    class.limits.on_narrowing = crate::class::OnNarrowing::Revoke;
    narrow(&mut class);
    Withdrawal::of(&profile(), &class, &record()).expect("something to take away")
}

#[test]
fn what_a_class_has_taken_away_is_said_with_the_reason() {
    let roles = withdrawal(|class| class.limits.access.clear());
    let result = ReconcileResult::withdrawn(&roles, record());
    let ReconcileOutcome::Stalled { reason, message } = &result.outcome else {
        panic!("{result:?}");
    };
    assert_eq!(reason, "NotAllowedByClass");
    let words = "limits.onNarrowing of class prod is Revoke, so podid has revoked what it granted the identity of \
                 Key Vault Secrets User on /subscriptions/s/resourceGroups/apps/";
    assert!(
        message.starts_with("spec.access[0].role: ") && message.contains(words),
        "{message}"
    );
    let gone = |condition| (condition, ConditionStatus::False, "NotAllowedByClass");
    assert_eq!(kinds(&result), [gone("AccessReady")]);
    assert_eq!(result.requeue, Requeue::OnChange);

    let everything = withdrawal(|class| class.limits.namespaces.clear());
    let result = ReconcileResult::withdrawn(&everything, record());
    assert_eq!(kinds(&result), [gone("AccessReady"), gone("BindingReady")]);
    assert!(!is_binding_applied(&result));
}

#[test]
fn what_is_still_to_be_taken_away_is_tried_again() {
    let withdrawal = withdrawal(|class| class.limits.access.clear());
    let failed = |cause| {
        let failure = failure(ConditionType::AccessReady, cause);
        ReconcileResult::withdrawal_failed(&failure, &withdrawal, record())
    };
    let in_turn = Requeue::InTurn {
        after: Duration::from_secs(7),
    };
    let held_back = || {
        FailureCause::Azure(CallFailure {
            class: CallFailureClass::HeldBack,
            code: None,
            fallback_reason: "HeldBack",
            retry_after: Some(Duration::from_secs(7)),
        })
    };
    assert_eq!(failed(held_back()).requeue, in_turn, "by podid itself");
    let deletion = failure(ConditionType::AccessReady, held_back());
    let deletion = ReconcileResult::deletion_failed(&deletion, record());
    assert_eq!(deletion.requeue, in_turn);
    let waits = failed(FailureCause::StillAssigned);
    let words = "class prod takes away what it does not allow (limits.onNarrowing): do this";
    let message = words.to_owned();
    assert_eq!(waits.outcome, ReconcileOutcome::Progressing { message });
    let refused = failed(FailureCause::NotAnIdentity);
    let is_tried_again = matches!(refused.outcome, ReconcileOutcome::Retrying { .. });
    assert!(is_tried_again, "nothing stalls before it is taken away");
    assert_eq!(refused.requeue, backoff(None));
    assert_eq!(refused.record, record());
}
