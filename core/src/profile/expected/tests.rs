//! An expected state leads to the same plan as the state that a carried out plan leaves.

use proptest::prelude::*;

use super::*;
use crate::profile::Profile;
use crate::profile::admit::admit;
use crate::profile::admit::tests::{access, class, profile};
use crate::profile::plan::plan;
use crate::profile::plan::tests::reconcile;
use crate::profile::plan::{Deletion, plan_deletion};

const GROUP: &str = "/subscriptions/s/resourceGroups/apps";

fn profiles() -> impl Strategy<Value = Profile> {
    let rights = prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    let names = prop::option::of(prop::sample::select(vec!["one", "two"]));
    let selector = prop::sample::select(vec!["cart", "basket"]);
    let tags = prop::option::of(Just(("team".to_owned(), "shop".to_owned())));
    (rights, names, selector, tags).prop_map(|(rights, name, selector, tags)| {
        let scope = |vault| format!("{GROUP}/providers/Microsoft.KeyVault/vaults/{vault}");
        let rights = rights.into_iter();
        Profile {
            access: rights
                .map(|vault| access("Key Vault Secrets User", &scope(vault)))
                .collect(),
            identity_name: name.map(str::to_owned),
            selector: selector.to_owned(),
            tags: tags.into_iter().collect(),
            ..profile()
        }
    })
}

fn desired(profile: &Profile) -> Desired {
    admit(profile, &class()).expect("admitted")
}

/// Steps without what only Azure knows.
fn outline(plan: &Plan) -> Vec<(&'static str, String)> {
    let what = |step: &Step| match step {
        Step::GrantRole(grant) | Step::GrantNodeRole(grant) => grant.to_string(),
        Step::RevokeRole { role, scope, .. } => format!("{role} on {scope}"),
        Step::ApplyAzureIdentity { resource_id, .. } => resource_id.to_string(),
        other => other.to_string(),
    };
    let mut steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| (step.name(), what(step)))
        .collect();
    steps.sort();
    steps
}

proptest! {
    #[test]
    fn the_plan_is_the_one_that_the_operator_would_make(old in profiles(), new in profiles()) {
        let mut azure = Observed::default();
        reconcile(&old, &mut azure);
        let (before, after) = (desired(&old), desired(&new));
        if before.identity.id != after.identity.id {
            azure.former.extend(azure.identity.take());
        }
        let real = plan(&after, &azure).expect("a plan");
        let expected = observed_after(&before, Some(&after));
        let guessed = plan(&after, &expected).expect("a plan");
        prop_assert_eq!(outline(&guessed), outline(&real), "{}\n---\n{}", guessed, real);
    }

    #[test]
    fn a_status_leads_to_the_plan_that_the_operator_would_make(old in profiles(), new in profiles()) {
        let mut azure = Observed::default();
        reconcile(&old, &mut azure);
        let (before, after) = (desired(&old), desired(&new));
        let recorded = observed_as_recorded(&before, azure.record.clone(), Some(&after));
        if before.identity.id != after.identity.id {
            azure.former.extend(azure.identity.take());
        }
        let real = plan(&after, &azure).expect("a plan");
        let guessed = plan(&after, &recorded).expect("a plan");
        prop_assert_eq!(outline(&guessed), outline(&real), "{}\n---\n{}", guessed, real);
        // The ids are Azure's own.
        let ids = |observed: &Observed| {
            let shown = observed.identity.iter().chain(&observed.former);
            shown.map(|it| (it.client_id.clone(), it.principal_id.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(ids(&recorded), ids(&azure));
        let deletion = Deletion { owner: before.owner.clone(), policy: before.deletion_policy };
        let mut whole = Observed::default();
        reconcile(&old, &mut whole);
        let real = plan_deletion(&deletion, &whole);
        let guessed = observed_as_recorded(&before, whole.record.clone(), None);
        prop_assert_eq!(outline(&plan_deletion(&deletion, &guessed)), outline(&real));
    }

    #[test]
    fn what_no_status_records_is_still_to_be_made(profile in profiles()) {
        let desired = desired(&profile);
        let recorded = observed_as_recorded(&desired, ProfileRecord::default(), Some(&desired));
        let nothing = Observed { roles: recorded.roles.clone(), ..Observed::default() };
        let (guessed, real) = (plan(&desired, &recorded), plan(&desired, &nothing));
        prop_assert_eq!(outline(&guessed.expect("a plan")), outline(&real.expect("a plan")));
    }

    #[test]
    fn a_file_that_did_not_change_changes_nothing(profile in profiles()) {
        let desired = desired(&profile);
        let expected = observed_after(&desired, Some(&desired));
        prop_assert_eq!(plan(&desired, &expected).expect("a plan").steps, []);
    }

    #[test]
    fn a_file_that_is_gone_deletes_all_that_was_made(profile in profiles()) {
        let mut azure = Observed::default();
        reconcile(&profile, &mut azure);
        let desired = desired(&profile);
        let deletion = Deletion { owner: desired.owner.clone(), policy: desired.deletion_policy };
        let real = plan_deletion(&deletion, &azure);
        let guessed = plan_deletion(&deletion, &observed_after(&desired, None));
        prop_assert_eq!(outline(&guessed), outline(&real));
    }
}

#[test]
fn a_role_that_only_azure_knows_keeps_its_name() {
    let asking = |roles: &[&str]| {
        let mut class = class();
        class.limits.access[0].role = "Payments Auditor".to_owned();
        let access = roles.iter().map(|role| access(role, GROUP)).collect();
        let profile = Profile {
            access,
            ..profile()
        };
        admit(&profile, &class).expect("admitted")
    };
    let (old, new) = (asking(&["Payments Auditor"]), asking(&[]));
    let unchanged = plan(&old, &observed_after(&old, Some(&old))).expect("a plan");
    assert_eq!(unchanged.steps, []);
    for (before, after, verb) in [(&old, &new, "revoke"), (&new, &old, "grant the identity")] {
        let found = plan(after, &observed_after(before, Some(after))).expect("a plan");
        let text = with_role_names(found, &[before, after]).to_string();
        let wanted = format!("{verb} Payments Auditor on {GROUP}");
        assert!(text.contains(&wanted), "{text}");
    }
}

#[test]
fn what_one_profile_has_for_all_a_second_one_finds() {
    let first = desired(&profile());
    let second = desired(&Profile {
        name: "other".into(),
        ..profile()
    });
    let observed = Observed {
        role_assignments: shared_assignments(&first),
        ..Observed::default()
    };
    let names = |observed: &Observed| {
        let plan = plan(&second, observed).expect("a plan");
        plan.steps.iter().map(Step::name).collect::<Vec<_>>()
    };
    let (alone, beside) = (names(&Observed::default()), names(&observed));
    let count = |names: &[&str]| {
        names
            .iter()
            .filter(|name| **name == "GrantNodeRole")
            .count()
    };
    assert_eq!((count(&alone), count(&beside)), (2, 1));
}
