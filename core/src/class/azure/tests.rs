use proptest::prelude::*;

use super::*;
use crate::class::AccessLimit;
use crate::profile::admit::tests::class;

/// The class of the tests, with limits that Azure has to be asked about.
fn wide() -> Class {
    let mut class = class();
    let limit = |role: &str| AccessLimit {
        role: role.to_owned(),
        scopes: vec![
            ArmId::new("/subscriptions/s"),
            ArmId::new("/subscriptions/t"),
        ],
    };
    let roles = ["Payments Auditor", "payments auditor", "Reader"];
    class.limits.access.extend(roles.map(limit));
    let groups = [
        "/subscriptions/s/resourceGroups/legacy",
        "/SUBSCRIPTIONS/S/resourcegroups/IDENTITIES",
    ];
    class.limits.identity_groups = groups.map(ArmId::new).into();
    class
}

/// What Azure says when all is right.
fn right(question: &Question) -> Answer {
    match &question.about {
        About::Subscription(_) => Answer::Tenant("TENANT".into()),
        About::Regions(_) => Answer::Regions(vec!["eastus".into(), "westeurope".into()]),
        About::Group(_) | About::Role { .. } => Answer::Present,
    }
}

/// All right but for the answer about one field.
fn but(field: &str, answer: Answer) -> Vec<(Question, Answer)> {
    let answers = questions(&wide()).into_iter();
    let answers: Vec<_> = answers
        .map(|question| match question.field == field {
            true => (question, answer.clone()),
            false => (question.clone(), right(&question)),
        })
        .collect();
    assert!(answers.iter().any(|(q, _)| q.field == field), "{field}");
    answers
}

#[test]
fn each_thing_is_asked_once() {
    let fields: Vec<String> = questions(&wide()).into_iter().map(|q| q.field).collect();
    let expected = [
        "spec.subscriptionId",
        "spec.resourceGroup",
        "spec.location",
        "spec.nodeResourceGroup",
        // The role before it is built in, the next is the same, and the last is built in.
        "spec.limits.access[1].role",
        // The other group is the class's own.
        "spec.limits.identityGroups[0]",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn what_azure_confirms_is_ready() {
    let answers = but("spec.resourceGroup", Answer::Present);
    for before in [Before::Nothing, Before::Known] {
        let outcome = class_outcome(&wide(), &answers, before);
        assert!(
            matches!(outcome, Some(ReconcileOutcome::Ready { .. })),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_misspelt_role_is_told_the_one_that_was_probably_meant() {
    let mut class = wide();
    class.limits.access[1].role = "Key Vault Secret User".to_owned();
    let about = |question: &Question| question.field == "spec.limits.access[1].role";
    let asked = questions(&class);
    let answers: Vec<(Question, Answer)> = asked
        .into_iter()
        .filter(about)
        .map(|question| (question, Answer::Absent))
        .collect();
    let outcome = class_outcome(&class, &answers, Before::Known).expect("an outcome");
    let ReconcileOutcome::Stalled { message, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let end = "; did you mean \"Key Vault Secrets User\"?";
    assert!(message.ends_with(end), "{message}");
}

#[test]
fn every_problem_names_field_value_and_remedy() {
    let cases = [
        ("spec.subscriptionId", Answer::Absent, "access to it", None),
        ("spec.resourceGroup", Answer::Absent, "create it", None),
        ("spec.nodeResourceGroup", Answer::Absent, "create it", None),
        (
            "spec.limits.identityGroups[0]",
            Answer::Absent,
            "create it",
            None,
        ),
        (
            "spec.location",
            Answer::Regions(vec!["eastus".into()]),
            "correct spec.location",
            Some("LocationNotFound"),
        ),
        (
            "spec.limits.access[1].role",
            Answer::Absent,
            "correct spec.limits.access[1].role",
            Some("RoleNotFound"),
        ),
    ];
    for (field, answer, remedy, stalls) in cases {
        let outcome =
            class_outcome(&wide(), &but(field, answer), Before::Known).expect("an outcome");
        let (reason, message) = match outcome {
            ReconcileOutcome::Stalled { reason, message } => (Some(reason), message),
            ReconcileOutcome::Retrying { message } => (None, message),
            other => panic!("{field}: {other:?}"),
        };
        assert_eq!(reason.as_deref(), stalls, "{message}");
        assert!(message.starts_with(&format!("{field}: \"")), "{message}");
        assert!(message.contains(remedy), "{message}");
    }
}

#[test]
fn a_subscription_of_another_tenant_names_both() {
    let answers = but("spec.subscriptionId", Answer::Tenant("other".into()));
    let Some(ReconcileOutcome::Stalled { reason, message }) =
        class_outcome(&wide(), &answers, Before::Known)
    else {
        panic!("not stalled");
    };
    assert_eq!(reason, "WrongTenant");
    assert!(
        message.starts_with("spec.tenantId: \"tenant\""),
        "{message}"
    );
    assert!(message.contains("which is other"), "{message}");
}

#[test]
fn a_missing_subscription_is_said_once() {
    let answers: Vec<_> = questions(&wide())
        .into_iter()
        .map(|question| (question, Answer::Absent))
        .collect();
    let Some(ReconcileOutcome::Retrying { message }) =
        class_outcome(&wide(), &answers, Before::Nothing)
    else {
        panic!("not retrying");
    };
    assert!(!message.contains(" | "), "{message}");
    assert!(message.starts_with("spec.subscriptionId: "), "{message}");
}

#[test]
fn every_problem_is_named_while_the_subscription_exists() {
    let answers: Vec<_> = questions(&wide())
        .into_iter()
        .map(|question| match &question.about {
            About::Group(_) => (question, Answer::Absent),
            _ => (question.clone(), right(&question)),
        })
        .collect();
    let outcome = class_outcome(&wide(), &answers, Before::Nothing);
    let Some(ReconcileOutcome::Retrying { message }) = outcome else {
        panic!("not retrying: {outcome:?}");
    };
    assert_eq!(message.split(" | ").count(), 3, "{message}");
}

#[test]
fn while_azure_is_silent_what_was_known_stays() {
    let answers = but("spec.location", Answer::Unanswered("no answer".into()));
    assert_eq!(class_outcome(&wide(), &answers, Before::Known), None);
    let outcome = class_outcome(&wide(), &answers, Before::Nothing);
    assert!(
        matches!(&outcome, Some(ReconcileOutcome::Progressing { message }) if message.contains("no answer")),
        "{outcome:?}"
    );
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Present),
        Just(Answer::Absent),
        Just(Answer::Tenant("tenant".into())),
        Just(Answer::Tenant("other".into())),
        Just(Answer::Regions(vec!["westeurope".into()])),
        Just(Answer::Regions(Vec::new())),
        Just(Answer::Refused("no".into())),
        Just(Answer::Unanswered("later".into())),
    ]
}

proptest! {
    /// Ready is never said while one question has another answer than the right one.
    #[test]
    fn ready_needs_every_answer(answers in prop::collection::vec(answer(), 6), known: bool) {
        let class = wide();
        let asked: Vec<_> = questions(&class).into_iter().zip(answers).collect();
        let before = if known { Before::Known } else { Before::Nothing };
        let outcome = class_outcome(&class, &asked, before);
        let confirms = |(question, answer): &(Question, Answer)| match (&question.about, answer) {
            (About::Subscription(_), Answer::Tenant(tenant)) => tenant == "tenant",
            (About::Regions(_), Answer::Regions(regions)) => !regions.is_empty(),
            (About::Group(_) | About::Role { .. }, Answer::Present) => true,
            _ => false,
        };
        let ready = matches!(outcome, Some(ReconcileOutcome::Ready { .. }));
        prop_assert_eq!(ready, asked.iter().all(confirms), "{:?}", outcome);
    }
}
