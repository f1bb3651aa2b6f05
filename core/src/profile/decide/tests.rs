use proptest::prelude::*;

use super::*;
use crate::class::{Cloud, OnNarrowing};
use crate::profile::admit::tests::{access, class, profile};
use crate::profile::observed::ManagedIdentity;
use crate::profile::plan::tests::reconcile;

/// Everything that [`precheck`] goes by, owned.
#[derive(Clone, Debug)]
struct Case {
    profile: Profile,
    class: Option<Class>,
    usability: Usability,
    operator: OperatorEnvironment,
    is_reported: bool,
    record: ProfileRecord,
}

impl Case {
    fn precheck(&self) -> Precheck {
        precheck(PrecheckInput {
            profile: &self.profile,
            class: self.class.as_ref(),
            usability: &self.usability,
            operator: &self.operator,
            is_reported: self.is_reported,
            record: &self.record,
        })
    }
}

/// A profile that is admitted.
fn admitted() -> Case {
    Case {
        profile: profile(),
        class: Some(class()),
        usability: Usability::Usable,
        operator: OperatorEnvironment {
            cloud: Some(Cloud::AzurePublicCloud),
            tenant_id: Some("tenant".into()),
        },
        is_reported: false,
        record: ProfileRecord::default(),
    }
}

fn usability() -> impl Strategy<Value = Usability> {
    prop_oneof![
        Just(Usability::Usable),
        Just(Usability::Unusable("why".into())),
        Just(Usability::Unknown),
        Just(Usability::Assumed),
    ]
}

fn interval() -> impl Strategy<Value = Interval> {
    prop_oneof![
        Just(Interval::Default),
        Just(Interval::Invalid("soon".into())),
    ]
}

prop_compose! {
    fn case()(
        suspend in any::<bool>(),
        interval in interval(),
        usability in usability(),
        [has_class, own_cloud, own_tenant, is_allowed, is_reported] in any::<[bool; 5]>(),
        observes in any::<bool>(),
    ) -> Case {
        let right = admitted();
        let drift = if observes { Drift::Observe } else { Drift::Enforce };
        let role = if is_allowed { "Key Vault Secrets User" } else { "Owner" };
        let cloud = if own_cloud { Cloud::AzurePublicCloud } else { Cloud::AzureChinaCloud };
        let tenant = if own_tenant { "tenant" } else { "other" };
        let access = vec![access(role, crate::profile::admit::tests::VAULT)];
        Case {
            profile: Profile { suspend, interval, drift, access, ..right.profile },
            class: has_class.then(class),
            usability,
            operator: OperatorEnvironment { cloud: Some(cloud), tenant_id: Some(tenant.to_owned()) },
            is_reported,
            record: right.record,
        }
    }
}

/// Azure as it may be found: with or without the identity, which may be anybody's.
fn observed() -> impl Strategy<Value = Observed> {
    let id = crate::profile::admit::identity_id(&profile(), &class());
    let tenant = prop_oneof![Just("tenant"), Just("other")];
    (any::<bool>(), any::<bool>(), tenant).prop_map(move |(is_there, is_ours, tenant)| {
        let desired = admit(&profile(), &class()).expect("admitted");
        let identity = is_there.then(|| ManagedIdentity {
            id: id.clone(),
            location: "westeurope".into(),
            tags: match is_ours {
                true => desired.owner.tags(),
                false => Default::default(),
            },
            client_id: "client".into(),
            principal_id: "principal".into(),
            tenant_id: tenant.into(),
        });
        Observed {
            identity,
            ..Observed::default()
        }
    })
}

/// Steps that a caller would carry out, if it has any.
fn steps(case: &Case, observed: &Observed) -> usize {
    let Precheck::Admitted(desired) = case.precheck() else {
        return 0;
    };
    match next_action(&desired, observed) {
        NextAction::Apply(plan) => plan.steps.len(),
        NextAction::Refuse(_) | NextAction::Report(_) => 0,
    }
}

proptest! {
    #[test]
    fn a_profile_has_steps_only_if_nothing_speaks_against_it(case in case(), observed in observed()) {
        let right = admitted();
        let is_right = !case.profile.suspend
            && case.profile.interval == Interval::Default
            && case.class.is_some()
            && case.operator == right.operator
            && matches!(case.usability, Usability::Usable | Usability::Assumed)
            && case.profile.access == right.profile.access;
        if steps(&case, &observed) > 0 {
            prop_assert!(is_right);
        }
        prop_assert_eq!(matches!(case.precheck(), Precheck::Admitted(_)), is_right);
    }

    #[test]
    fn observe_never_yields_a_write(case in case(), observed in observed()) {
        if case.profile.drift == Drift::Observe {
            prop_assert_eq!(steps(&case, &observed), 0);
        }
    }

    #[test]
    fn what_ends_early_says_so_unless_the_status_is_kept(case in case()) {
        let precheck = case.precheck();
        let is_silent = matches!(
            precheck,
            Precheck::Suspended | Precheck::KeepStatus | Precheck::Admitted(_)
        );
        prop_assert_eq!(precheck.outcome().is_none(), is_silent);
    }

    /// `podid plan` differs from the operator only in what it knows: it takes the class for usable and
    /// knows nothing of the operator.
    #[test]
    fn the_operator_does_what_was_planned_once_what_was_assumed_is_so(
        case in case(),
        observed in observed(),
    ) {
        let planned = Case {
            usability: Usability::Assumed,
            operator: OperatorEnvironment::default(),
            is_reported: false,
            ..case.clone()
        };
        let right = admitted();
        let came_true = Case {
            usability: Usability::Usable,
            operator: right.operator,
            ..case
        };
        prop_assert_eq!(planned.precheck(), came_true.precheck());
        prop_assert_eq!(steps(&planned, &observed), steps(&came_true, &observed));
    }
}

#[test]
fn what_comes_first_is_said_first() {
    let mut case = admitted();
    case.profile.suspend = true;
    case.profile.interval = Interval::Invalid("soon".into());
    case.class = None;
    assert_eq!(case.precheck(), Precheck::Suspended);

    case.profile.suspend = false;
    let said = format!("{:?}", case.precheck().outcome());
    assert!(
        said.contains("spec.interval") && said.contains("soon"),
        "{said}"
    );

    case.profile.interval = Interval::Default;
    let said = format!("{:?}", case.precheck().outcome());
    assert!(said.contains("Waiting") && said.contains("PodIdentityClass prod does not exist"));

    case.class = Some(class());
    case.usability = Usability::Unusable("mend it".into());
    case.profile.access = vec![access("Owner", "/subscriptions/s")];
    case.operator.tenant_id = Some("other".into());
    let Precheck::ClassInvalid { not_allowed, .. } = case.precheck() else {
        panic!("{:?}", case.precheck());
    };
    assert_eq!(not_allowed.len(), 1, "the author learns all at once");
    let said = format!("{:?}", case.precheck().outcome());
    let names_the_first = "PodIdentityClass prod cannot be used: spec.tenantId: ";
    assert!(said.contains(names_the_first), "{said}");

    case.operator.tenant_id = None;
    let said = format!("{:?}", case.precheck().outcome());
    assert!(
        said.contains("PodIdentityClass prod cannot be used: mend it"),
        "{said}"
    );

    case.usability = Usability::Usable;
    let said = format!("{:?}", case.precheck().outcome());
    assert!(
        said.contains("NotAllowedByClass") && said.contains("spec.access[0].role"),
        "{said}"
    );
}

/// Who may write a profile cannot keep by a field of it what the class takes away; a class that Azure has not confirmed
/// takes nothing.
#[test]
fn what_a_class_takes_away_is_taken_whatever_the_profile_says() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let mut case = admitted();
    case.record = observed.record;
    let class = case.class.as_mut().expect("a class");
    class.limits.access.clear();
    let is_withdrawn = |case: &Case| matches!(case.precheck(), Precheck::Withdrawn(_));
    assert!(!is_withdrawn(&case), "a class keeps if it says nothing");
    let class = case.class.as_mut().expect("a class");
    class.limits.on_narrowing = OnNarrowing::Revoke;
    assert!(is_withdrawn(&case));
    case.profile.suspend = true;
    assert!(is_withdrawn(&case));
    case.profile.suspend = false;
    case.profile.drift = Drift::Observe;
    case.profile.interval = Interval::Invalid("soon".into());
    assert!(is_withdrawn(&case));
    case.usability = Usability::Unknown;
    assert!(!is_withdrawn(&case));
    case.usability = Usability::Usable;
    case.operator.tenant_id = Some("other".into());
    assert!(!is_withdrawn(&case));
}

#[test]
fn an_unknown_class_leaves_a_status_that_speaks_of_this_generation() {
    let mut case = admitted();
    case.usability = Usability::Unknown;
    let class = "prod".to_owned();
    assert_eq!(case.precheck(), Precheck::ClassUnknown { class });
    case.is_reported = true;
    assert_eq!(case.precheck(), Precheck::KeepStatus);
}

#[test]
fn a_decision_can_be_printed() {
    let text = serde_json::to_string(&admitted().precheck()).expect("JSON");
    assert!(text.starts_with("{\"Admitted\":"), "{text}");
}

#[test]
fn only_observe_leaves_a_plan_to_a_person_and_only_one_with_steps() {
    let (nothing, mut all) = (Observed::default(), Observed::default());
    reconcile(&profile(), &mut all);
    for (drift, observed, steps) in [
        (Drift::Enforce, &nothing, 6),
        (Drift::Enforce, &all, 0),
        (Drift::Observe, &nothing, 6),
        (Drift::Observe, &all, 0),
    ] {
        let profile = Profile { drift, ..profile() };
        let desired = admit(&profile, &class()).expect("admitted");
        let (is_report, plan) = match next_action(&desired, observed) {
            NextAction::Report(plan) => (true, plan),
            NextAction::Apply(plan) => (false, plan),
            NextAction::Refuse(refusals) => panic!("{refusals:?}"),
        };
        assert_eq!(plan.steps.len(), steps, "{plan}");
        assert_eq!(is_report, drift == Drift::Observe && steps > 0, "{plan}");
        assert_eq!(plan.to_string() == "nothing to do", steps == 0, "{plan}");
    }
}
