//! Plans of a class that takes away what it does not allow any more.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::class::{AccessLimit, Class, OnNarrowing};
use crate::net_raw::NetRaw;
use crate::profile::observed::ProfileRecord;
use crate::profile::withdrawal::{Withdrawal, WithdrawalExtent};

/// The class, revoking, with rights to read secrets at these of [`SCOPES`].
fn narrowed(scopes: &[usize]) -> Class {
    let mut class = class();
    class.limits.on_narrowing = OnNarrowing::Revoke;
    class.limits.access = vec![AccessLimit {
        role: "Key Vault Secrets User".into(),
        scopes: scopes.iter().map(|at| ArmId::new(SCOPES[*at])).collect(),
    }];
    class
}

fn without_namespaces() -> Class {
    let mut class = narrowed(&[2]);
    class.limits.namespaces.clear();
    class
}

fn asking(scopes: &[usize]) -> Profile {
    let rights = scopes.iter();
    Profile {
        access: rights
            .map(|at| access("Key Vault Secrets User", SCOPES[*at]))
            .collect(),
        ..profile()
    }
}

fn scopes() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence(vec![0, 1, 2], 0..=3)
}

/// What is there after the profile was made under the class as it is in other tests, and somebody else gave its identity
/// a role.
fn made(profile: &Profile) -> Observed {
    let mut observed = Observed::default();
    reconcile(profile, &mut observed);
    let principal = observed
        .identity
        .as_ref()
        .expect("made")
        .principal_id
        .clone();
    let by_hand = foreign_assignment(SCOPES[0], &principal, None);
    observed.role_assignments.push(by_hand);
    observed
}

/// Plans and does it, as the operator does.
fn take_away(withdrawal: &Withdrawal, observed: &mut Observed) -> Plan {
    let plan = plan_withdrawal(withdrawal, observed);
    let mut progress = PlanProgress::begin(&plan, observed);
    for step in &plan.steps {
        perform(step, observed);
        if let Step::RevokeRole { assignment, .. } = step {
            progress.revoked(assignment);
        }
    }
    observed.record = progress.record_of_roles(&observed.record);
    plan
}

/// Scopes at which the identity may read secrets.
fn reads_at(observed: &Observed) -> BTreeSet<ArmId> {
    let role = Role::parse("Key Vault Secrets User").id();
    let held = observed.role_assignments.iter();
    let held = held.filter(|it| Some(it.role) == role);
    held.map(|it| it.scope.clone()).collect()
}

fn of(profile: &Profile, class: &Class, observed: &Observed) -> Withdrawal {
    Withdrawal::of(profile, class, &observed.record).expect("something to take away")
}

proptest! {
    #[test]
    fn a_class_that_keeps_takes_nothing_away(asked in scopes(), left in scopes(), admits in any::<bool>()) {
        let profile = asking(&asked);
        let observed = made(&profile);
        let mut class = if admits { narrowed(&left) } else { without_namespaces() };
        class.limits.on_narrowing = OnNarrowing::Keep;
        prop_assert_eq!(Withdrawal::of(&profile, &class, &observed.record), None);
    }

    /// Whatever the narrower class allows stays, all else that podid granted goes, and a wider class brings it back.
    #[test]
    fn a_class_that_revokes_takes_what_exceeds_it_and_no_more(asked in scopes(), left in scopes()) {
        let (profile, class) = (asking(&asked), narrowed(&left));
        let before = made(&profile);
        let covers = |scope: &ArmId| left.iter().any(|at| ArmId::new(SCOPES[*at]).covers(scope));
        let allowed: BTreeSet<ArmId> = reads_at(&before).into_iter().filter(covers).collect();
        let mut observed = before.clone();
        let found = Withdrawal::of(&profile, &class, &observed.record);
        prop_assert_eq!(found.is_some(), allowed.len() < asked.len());
        if let Some(withdrawal) = found {
            prop_assert_eq!(withdrawal.extent, WithdrawalExtent::Roles);
            let said = withdrawal.to_string();
            take_away(&withdrawal, &mut observed);
            prop_assert_eq!(plan_withdrawal(&withdrawal, &observed).steps, []);
            let again = of(&profile, &class, &observed);
            prop_assert_eq!(again.to_string(), said, "an unchanged status is not written again");
        }
        prop_assert_eq!(reads_at(&observed), allowed);
        let (gone, others): (Vec<_>, Vec<_>) = before.role_assignments.iter()
            .partition(|it| !observed.role_assignments.contains(it));
        prop_assert!(gone.iter().all(|it| before.record.made(&it.id)), "{gone:?}");
        prop_assert!(others.iter().any(|it| it.id.name() == "by-hand"));
        prop_assert_eq!(&observed.identity, &before.identity);
        prop_assert_eq!(&observed.binding, &before.binding);
        reconcile(&profile, &mut observed);
        prop_assert_eq!(reads_at(&observed), reads_at(&before));
    }

    #[test]
    fn a_profile_that_has_no_place_in_its_class_loses_all_but_its_identity(asked in scopes()) {
        let (profile, class) = (asking(&asked), without_namespaces());
        let before = made(&profile);
        let mut observed = before.clone();
        let withdrawal = of(&profile, &class, &observed);
        prop_assert_eq!(withdrawal.extent, WithdrawalExtent::Everything);
        let plan = take_away(&withdrawal, &mut observed);
        prop_assert!(!plan.steps.iter().any(|step| matches!(step, Step::DeleteIdentity { .. })), "{}", plan);
        prop_assert_eq!(&observed.identity, &before.identity);
        prop_assert!(observed.binding.is_none() && observed.azure_identity.is_none());
        let left: Vec<&str> = observed.role_assignments.iter().map(|it| it.id.name()).collect();
        let shared = before.role_assignments.iter().filter(|it| {
            it.description.as_deref() == Some("podid: machines of c")
        });
        let expected: Vec<&str> = shared.map(|it| it.id.name()).chain(["by-hand"]).collect();
        prop_assert_eq!(left, expected);
        prop_assert_eq!(plan_withdrawal(&of(&profile, &class, &observed), &observed).steps, []);
        reconcile(&profile, &mut observed);
        prop_assert!(observed.binding.is_some() && observed.azure_identity.is_some());
        prop_assert_eq!(reads_at(&observed), reads_at(&before));
    }
}

#[test]
fn pods_lose_the_identity_first_and_its_own_roles_do_not_wait_for_machines() {
    let profile = asking(&[0]);
    let observed = made(&profile);
    let plan = plan_withdrawal(&of(&profile, &without_namespaces(), &observed), &observed);
    let words: Vec<String> = plan
        .sentences()
        .iter()
        .map(|it| it.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "delete AzureIdentityBinding",
        "revoke Key",
        "wait until",
        "delete AzureIdentity",
        "revoke Managed",
    ];
    assert_eq!(words, expected);
}

#[test]
fn nothing_is_taken_from_a_profile_for_which_nothing_was_made() {
    let profile = asking(&[0]);
    let record = ProfileRecord::default();
    assert_eq!(
        Withdrawal::of(&profile, &without_namespaces(), &record),
        None
    );
}

#[test]
fn what_is_written_wrong_takes_nothing_away() {
    let mut wrong = asking(&[0]);
    let observed = made(&wrong);
    wrong.tags = [("podid-uid".to_owned(), "mine".to_owned())].into();
    let class = narrowed(&[2]);
    assert!(admit(&wrong, &class).is_err());
    assert_eq!(Withdrawal::of(&wrong, &class, &observed.record), None);
}

/// The pods of a profile keep its identity when an edit asks for one that the class does not allow.
#[test]
fn only_the_identity_that_the_profile_has_is_taken_from_its_pods() {
    let mut edited = asking(&[0]);
    let mut observed = made(&edited);
    edited.creation_policy = CreationPolicy::Adopt;
    edited.identity_id = Some(crate::testing::id("elsewhere"));
    let class = narrowed(&[2]);
    let withdrawal = of(&edited, &class, &observed);
    assert_eq!(withdrawal.extent, WithdrawalExtent::Roles);
    assert_eq!(plan_withdrawal(&withdrawal, &observed).steps, []);

    let recorded = observed.record.identity.as_mut().expect("recorded");
    recorded.id = crate::testing::id("elsewhere");
    let withdrawal = of(&edited, &class, &observed);
    assert_eq!(withdrawal.extent, WithdrawalExtent::Everything);
}

#[test]
fn pods_are_held_to_the_rule_from_which_the_class_does_not_free_them_any_more() {
    let loose = Profile {
        net_raw: NetRaw::Ignore,
        ..asking(&[0])
    };
    let mut class = narrowed(&[2]);
    class.limits.allow_net_raw = true;
    let mut observed = made(&asking(&[0]));
    let child = observed.azure_identity.as_mut().expect("made");
    child.object.net_raw = NetRaw::Ignore;
    assert_eq!(Withdrawal::of(&loose, &class, &observed.record), None);
    class.limits.allow_net_raw = false;
    let withdrawal = of(&loose, &class, &observed);
    let before = observed.clone();
    let plan = take_away(&withdrawal, &mut observed);
    let [Step::ApplyAzureIdentity { client_id, .. }] = &plan.steps[..] else {
        panic!("{plan}");
    };
    let named = &before.azure_identity.as_ref().expect("made").object;
    assert_eq!(client_id.as_ref(), Some(&named.client_id));
    let written = &observed.azure_identity.as_ref().expect("kept").object;
    assert_eq!(written.net_raw, NetRaw::Enforce);
    assert_eq!(plan_withdrawal(&withdrawal, &observed).steps, []);
}

/// A role that the class has by a name which only Azure knows is told by the GUID that Azure has for it.
#[test]
fn a_role_of_a_name_that_only_azure_knows_is_kept_where_the_class_allows_it() {
    let profile = asking(&[0]);
    let mut observed = made(&profile);
    let (known, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    observed.roles = [("payments auditor".to_owned(), Some(known))].into();
    let mut class = narrowed(&[]);
    class.limits.access = vec![AccessLimit {
        role: "Payments Auditor".into(),
        scopes: vec![ArmId::new(SCOPES[2])],
    }];
    let withdrawal = of(&profile, &class, &observed);
    let [named] = &withdrawal.named_roles()[..] else {
        panic!("{withdrawal:?}");
    };
    assert_eq!(named.scope, ArmId::new(SCOPES[2]));
    let allows = |role: Uuid, scope: &str| {
        withdrawal.allows(&Role::Known(role), &ArmId::new(scope), &observed)
    };
    assert!(allows(known, SCOPES[0]));
    assert!(!allows(other, SCOPES[0]));
    assert!(!allows(known, "/subscriptions/s"));
}
