//! Identities, objects and roles that belong to others.

use super::*;
use crate::object_key::ObjectKey;
use crate::profile::adoption::{IdentityUser, Taking};
use crate::profile::plan::taking;

#[test]
fn an_identity_made_again_by_others_gets_its_rights_and_the_old_ones_go() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let identity = observed.identity.as_mut().expect("there");
    identity.principal_id = "p-again".into();
    identity.client_id = "c-again".into();
    let plan = reconcile(&profile(), &mut observed);
    let words: Vec<&str> = plan.steps.iter().map(Step::name).collect();
    assert_eq!(
        words,
        ["GrantRole", "ApplyAzureIdentity", "RevokeRole"],
        "{plan}"
    );
}

#[test]
fn nobody_elses_identity_is_seized() {
    let tags = |owner: Owner| owner.tags();
    let ours = desired(&profile()).owner;
    let adopting = Profile {
        creation_policy: CreationPolicy::CreateOrAdopt,
        ..profile()
    };
    let reason = |profile: &Profile, tags| {
        plan(&desired(profile), &existing(profile, tags))
            .err()
            .map(|found| found[0].reason())
    };
    let another = Owner {
        profile: "other".into(),
        uid: "another".into(),
        ..ours.clone()
    };
    let cluster = Owner {
        cluster: "other".into(),
        uid: "another".into(),
        ..ours.clone()
    };
    let reborn = Owner {
        uid: "earlier".into(),
        ..ours.clone()
    };
    for owner in [another, cluster] {
        for profile in [&profile(), &adopting] {
            assert_eq!(
                reason(profile, tags(owner.clone())),
                Some("IdentityOwnedByAnother")
            );
        }
    }
    assert_eq!(
        reason(&profile(), tags(reborn.clone())),
        Some("IdentityOwnedByAnother")
    );
    assert_eq!(
        reason(&adopting, tags(reborn)),
        None,
        "taken over when the profile says so"
    );
    assert_eq!(reason(&profile(), BTreeMap::new()), Some("IdentityExists"));
    assert_eq!(reason(&adopting, BTreeMap::new()), None);
    assert_eq!(reason(&profile(), tags(ours)), None);
}

fn another() -> IdentityUser {
    IdentityUser::Profile(ObjectKey::new("blog", "web"))
}

#[test]
fn an_identity_that_another_profile_asked_for_first_is_not_made_twice() {
    for creation_policy in [CreationPolicy::Create, CreationPolicy::CreateOrAdopt] {
        let mut asks = desired(&Profile {
            creation_policy,
            ..profile()
        });
        asks.identity.shared = true;
        let free = Observed::default();
        assert_eq!(taking(&asks, &free), Some(Taking::Creates));
        assert!(plan(&asks, &free).is_ok());
        let taken = Observed {
            taken_by: Some(another()),
            ..free
        };
        let refusals = plan(&asks, &taken).expect_err("refused");
        assert_eq!(refusals[0].reason(), "IdentityOwnedByAnother");
        assert!(
            refusals[0]
                .to_string()
                .contains("is made for profile blog/web")
        );
    }
}

#[test]
fn an_identity_that_another_namespace_has_adopted_is_not_shared_unless_the_class_says_so() {
    let adopting = Profile {
        creation_policy: CreationPolicy::Adopt,
        ..profile()
    };
    let used = |tags| Observed {
        taken_by: Some(another()),
        ..existing(&adopting, tags)
    };
    let mut asks = desired(&adopting);
    let untagged = used(BTreeMap::new());
    assert_eq!(taking(&asks, &untagged), Some(Taking::Adopts));
    assert_eq!(
        taking(&asks, &Observed::default()),
        None,
        "there is nothing"
    );
    let creates = desired(&profile());
    assert_eq!(taking(&creates, &untagged), None, "it does not adopt");
    let made = used(asks.owner.tags());
    assert_eq!(taking(&asks, &made), None, "podid made it");
    let refusals = plan(&asks, &untagged).expect_err("refused");
    assert_eq!(refusals[0].reason(), "IdentityAdoptedByAnother");
    let text = refusals[0].to_string();
    assert!(
        text.contains("used by profile blog/web of another namespace")
            && text.contains("allowSharedAdoption"),
        "{text}"
    );
    asks.identity.shared = true;
    assert!(plan(&asks, &untagged).is_ok());
    assert_eq!(taking(&asks, &untagged), None, "nobody need be asked for");
}

#[test]
fn no_identity_is_made_under_a_name_that_podid_gives_to_another_profile() {
    let named = |name: String, creation_policy| {
        let profile = Profile {
            identity_name: Some(name),
            creation_policy,
            ..profile()
        };
        desired(&profile)
    };
    let owner = desired(&profile()).owner;
    let derived = |namespace| crate::names::identity(&owner.cluster, namespace, &owner.profile);
    let (own, others) = (derived(&owner.namespace), derived("another"));
    for policy in [CreationPolicy::Create, CreationPolicy::CreateOrAdopt] {
        for name in [others.clone(), others.to_ascii_uppercase()] {
            let refused = plan(&named(name, policy), &Observed::default()).expect_err("refused");
            assert_eq!(refused[0].reason(), "IdentityNameOfAnother");
        }
        for name in [own.clone(), own.to_ascii_uppercase(), "any".to_owned()] {
            assert!(plan(&named(name, policy), &Observed::default()).is_ok());
        }
    }
    let adopting = Profile {
        creation_policy: CreationPolicy::Adopt,
        identity_name: Some(others),
        ..profile()
    };
    let there = existing(&adopting, BTreeMap::new());
    assert!(plan(&desired(&adopting), &there).is_ok(), "it exists");
}

#[test]
fn an_adopted_identity_must_exist_and_is_never_written() {
    let adopting = Profile {
        creation_policy: CreationPolicy::Adopt,
        ..profile()
    };
    let refusals = plan(&desired(&adopting), &Observed::default()).expect_err("refused");
    assert!(refusals[0].may_pass(), "{}", refusals[0]);
    let plan = plan(&desired(&adopting), &existing(&adopting, BTreeMap::new())).expect("a plan");
    assert!(
        !plan
            .steps
            .iter()
            .any(|s| matches!(s, Step::UpdateTags { .. })),
        "{plan}"
    );
}

#[test]
fn lost_tags_of_ours_come_back_and_tags_of_others_stay() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let identity = observed.identity.as_mut().expect("there");
    identity.tags = [("cost".to_owned(), "42".to_owned())].into();
    reconcile(&profile(), &mut observed);
    let tags = &observed.identity.as_ref().expect("there").tags;
    assert_eq!(
        (tags["cost"].as_str(), tags["podid-uid"].as_str()),
        ("42", "uid")
    );
}

#[test]
fn objects_of_others_are_refused_by_name() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    observed.binding.as_mut().expect("there").owned = false;
    let child = observed.azure_identity.as_mut().expect("there");
    child.applied_by = Some("Kustomization flux-system/apps".into());
    let refusals = plan(&desired(&profile()), &observed).expect_err("refused");
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert!(
        texts[0].contains(
            "AzureIdentity shop/cart exists and is applied by Kustomization flux-system/apps"
        ),
        "{texts:?}"
    );
    assert!(
        texts[1].contains("AzureIdentityBinding shop/cart exists and does not belong"),
        "{texts:?}"
    );
}

#[test]
fn a_custom_role_is_used_by_the_id_azure_gives_and_refused_when_there_is_none() {
    let asks = Profile {
        access: vec![access("Cart Auditor", SCOPES[0])],
        ..profile()
    };
    let mut class = class();
    class.limits.access[0].role = "cart auditor".into();
    let desired = admit(&asks, &class).expect("admitted");
    let id = uuid::Uuid::from_u128(7);
    let with = |found| Observed {
        roles: [("cart auditor".to_owned(), found)].into(),
        ..Observed::default()
    };
    let plan_with = plan(&desired, &with(Some(id))).expect("a plan");
    assert!(matches!(&plan_with.steps[1], Step::GrantRole(a) if a.role == Role::Known(id)));
    let refusals = plan(&desired, &with(None)).expect_err("refused");
    assert_eq!(refusals[0].field(), "spec.access[0].role");
    assert!(
        plan(&desired, &Observed::default()).is_ok(),
        "a plan on paper needs no Azure"
    );
}

#[test]
fn an_adoption_is_a_step_until_the_record_has_this_very_identity() {
    let adopting = Profile {
        creation_policy: CreationPolicy::Adopt,
        ..profile()
    };
    let mut observed = existing(&adopting, BTreeMap::new());
    let id = observed.identity.as_ref().expect("there").id.clone();
    let adopts = |observed: &Observed| {
        let plan = plan(&desired(&adopting), observed).expect("a plan");
        let step = Step::AdoptIdentity { id: id.clone() };
        plan.steps.contains(&step)
    };
    assert!(adopts(&observed));
    reconcile(&adopting, &mut observed);
    assert!(!adopts(&observed));
    observed.identity.as_mut().expect("there").principal_id = "p-anew".into();
    assert!(adopts(&observed), "it was made again under the same id");
}

#[test]
fn an_azure_identity_is_applied_again_whichever_field_differs() {
    let edits: [fn(&mut AzureIdentityFields); 6] = [
        // The operator could not read it.
        |object| object.resource_id = ArmId::new(""),
        |object| object.client_id = "other".into(),
        |object| object.principal_id = Some("other".into()),
        |object| object.principal_id = None,
        |object| object.namespaced = false,
        |object| object.net_raw = crate::net_raw::NetRaw::Ignore,
    ];
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    for edit in edits {
        let mut observed = observed.clone();
        let child = observed.azure_identity.as_mut().expect("there");
        edit(&mut child.object);
        let plan = plan(&desired(&profile()), &observed).expect("a plan");
        let words: Vec<&str> = plan.steps.iter().map(Step::name).collect();
        assert_eq!(
            words,
            ["ApplyAzureIdentity"],
            "{:?}",
            observed.azure_identity
        );
    }
}

#[test]
fn a_role_that_all_profiles_of_a_class_share_is_in_the_record_of_none() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let shared = observed.role_assignments.iter().filter(|assignment| {
        let of_one_profile = Some(desired(&profile()).owner.marker());
        assignment.description != of_one_profile
    });
    let shared: Vec<&ArmId> = shared.map(|assignment| &assignment.id).collect();
    assert_eq!(shared.len(), 1);
    let recorded = &observed.record.role_assignments;
    assert_eq!(recorded.len(), observed.role_assignments.len() - 1);
    assert!(recorded.iter().all(|entry| entry.id != *shared[0]));
}
