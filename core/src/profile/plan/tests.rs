//! Plans against a small world that does what the steps say.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::arm::ArmId;
use crate::names;
use crate::owner::Owner;
use crate::profile::admit::admit;
use crate::profile::admit::tests::{access, class, profile};
use crate::profile::desired::Grantee;
use crate::profile::observed::{
    AzureIdentityFields, Child, ManagedIdentity, RecordedIdentity, RoleAssignment,
};
use crate::profile::{CreationPolicy, DeletionPolicy, Profile};
use crate::role::Role;

const SCOPES: [&str; 3] = [
    "/subscriptions/s/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/a",
    "/subscriptions/s/resourceGroups/apps/providers/Microsoft.KeyVault/vaults/b",
    "/subscriptions/s/resourceGroups/apps",
];

fn desired(profile: &Profile) -> Desired {
    admit(profile, &class()).expect("admitted")
}

/// Does what a step says, and remembers it as the operator does.
fn perform(step: &Step, world: &mut Observed) {
    match step.clone() {
        Step::CreateIdentity { id, location, tags } => {
            let (principal_id, tenant_id) = (format!("p-{}", id.name()), "tenant".to_owned());
            let client_id = format!("c-{}", id.name());
            let made = ManagedIdentity {
                id,
                location,
                tags,
                client_id,
                principal_id,
                tenant_id,
            };
            world.identity = Some(made);
        }
        Step::AdoptIdentity { .. } => {}
        Step::UpdateTags { tags, .. } => {
            if let Some(identity) = &mut world.identity {
                identity.tags = tags;
            }
        }
        Step::GrantRole(access) | Step::GrantNodeRole(access) => grant(&access, world),
        Step::ApplyAzureIdentity {
            resource_id,
            net_raw,
            ..
        } => {
            let made = world.identity.as_ref().expect("made before");
            let object = AzureIdentityFields {
                resource_id,
                client_id: made.client_id.clone(),
                principal_id: Some(made.principal_id.clone()),
                namespaced: true,
                net_raw,
            };
            world.azure_identity = Some(Child {
                owned: true,
                applied_by: None,
                object,
            });
        }
        Step::ApplyBinding { binding, .. } => {
            world.binding = Some(Child {
                owned: true,
                applied_by: None,
                object: binding,
            });
        }
        Step::RevokeRole { assignment, .. } => world.assignments.retain(|a| a.id != assignment),
        Step::DeleteBinding { .. } => world.binding = None,
        Step::DeleteAzureIdentity { .. } => world.azure_identity = None,
        Step::AwaitUnassigned { .. } => {}
        Step::DeleteIdentity { id } => {
            world.identity = world.identity.take().filter(|i| i.id != id)
        }
    }
}

fn grant(access: &RoleGrant, world: &mut Observed) {
    let principal_id = match &access.to {
        Grantee::Identity => world
            .identity
            .as_ref()
            .expect("made before")
            .principal_id
            .clone(),
        Grantee::Kubelet(principal) => principal.clone(),
    };
    let role = access.role.id().expect("a known role");
    let name = names::role_assignment(&access.scope, &role, &principal_id);
    world.assignments.push(RoleAssignment {
        id: ArmId::new(format!(
            "{}/providers/Microsoft.Authorization/roleAssignments/{name}",
            access.scope
        )),
        scope: access.scope.clone(),
        role,
        principal_id,
        description: Some(access.description.clone()),
    });
}

/// Plans and does it; the record afterwards is what the next plan finds held.
fn reconcile(profile: &Profile, world: &mut Observed) -> Plan {
    let desired = desired(profile);
    let done = plan(&desired, world).expect("a plan");
    done.steps.iter().for_each(|step| perform(step, world));
    let identity = world.identity.as_ref().expect("there");
    world.record.identity = Some(RecordedIdentity {
        id: identity.id.clone(),
        client_id: identity.client_id.clone(),
        tenant_id: identity.tenant_id.clone(),
        principal_id: identity.principal_id.clone(),
        created: identity.tag("podid-uid") == Some(&profile.uid),
    });
    world.record.assignments = plan(&desired, world).expect("a plan").held;
    done
}

fn foreign_assignment(scope: &str, principal: &str, description: Option<&str>) -> RoleAssignment {
    RoleAssignment {
        id: ArmId::new(format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/by-hand"
        )),
        scope: ArmId::new(scope),
        role: Role::parse("Reader").id().expect("known"),
        principal_id: principal.into(),
        description: description.map(Into::into),
    }
}

fn existing(profile: &Profile, tags: BTreeMap<String, String>) -> Observed {
    let identity = ManagedIdentity {
        id: desired(profile).identity.id,
        location: "northeurope".into(),
        tags,
        client_id: "c".into(),
        principal_id: "p".into(),
        tenant_id: "TENANT".into(),
    };
    Observed {
        identity: Some(identity),
        ..Observed::default()
    }
}

#[test]
fn a_fresh_profile_is_told_as_a_whole_story() {
    let plan = plan(&desired(&profile()), &Observed::default()).expect("a plan");
    let id = "/subscriptions/s/resourceGroups/identities/providers/Microsoft.ManagedIdentity/userAssignedIdentities/c-shop-cart-0399859bf0";
    let name = id.rsplit('/').next().expect("a name");
    let vault = crate::profile::admit::tests::VAULT;
    assert_eq!(
        plan.to_string(),
        format!(
            " 1. create identity {name} in westeurope, resource group identities\n \
             2. grant the identity Key Vault Secrets User on {vault}\n \
             3. grant the kubelet identity Managed Identity Operator on {id}\n \
             4. grant the kubelet identity Virtual Machine Contributor on /subscriptions/s/resourceGroups/nodes\n \
             5. apply AzureIdentity shop/cart for {name} with the client id that Azure gives it\n \
             6. apply AzureIdentityBinding shop/cart: pods with aadpodidbinding=cart use cart"
        )
    );
    let json = serde_json::to_value(&plan).expect("JSON");
    assert_eq!(json["steps"][0]["step"], "CreateIdentity");
    assert_eq!(json["steps"][4]["clientId"], serde_json::Value::Null);
}

#[test]
fn deleting_undoes_everything_in_the_order_that_serves_pods_longest() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    let deletion = Deletion {
        owner: desired(&profile()).owner,
        policy: DeletionPolicy::Delete,
    };
    let plan = plan_deletion(&deletion, &world);
    let words: Vec<String> = plan
        .sentences()
        .iter()
        .map(|s| s.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        words,
        [
            "delete AzureIdentityBinding",
            "delete AzureIdentity",
            "wait until",
            "revoke Key",
            "revoke Managed",
            "delete identity"
        ]
    );
    plan.steps.iter().for_each(|step| perform(step, &mut world));
    assert!(world.identity.is_none() && world.binding.is_none());
    let left: Vec<_> = world
        .assignments
        .iter()
        .map(|a| a.description.clone())
        .collect();
    assert_eq!(
        left,
        [Some("podid: machines of c".to_owned())],
        "other profiles need it"
    );
}

#[test]
fn retained_and_adopted_identities_survive_their_profile() {
    let retained = Profile {
        deletion_policy: DeletionPolicy::Retain,
        ..profile()
    };
    let mut world = Observed::default();
    reconcile(&retained, &mut world);
    let owner = desired(&retained).owner;
    let plan = plan_deletion(
        &Deletion {
            owner: owner.clone(),
            policy: DeletionPolicy::Retain,
        },
        &world,
    );
    assert_eq!(
        plan.steps.len(),
        2,
        "only the objects in the cluster: {plan}"
    );

    let adopting = Profile {
        creation_policy: CreationPolicy::Adopt,
        ..profile()
    };
    let mut world = existing(&adopting, BTreeMap::new());
    reconcile(&adopting, &mut world);
    let plan = plan_deletion(
        &Deletion {
            owner,
            policy: DeletionPolicy::Delete,
        },
        &world,
    );
    assert!(
        !plan
            .steps
            .iter()
            .any(|s| matches!(s, Step::DeleteIdentity { .. })),
        "{plan}"
    );
    assert!(
        plan.steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{plan}"
    );
}

#[test]
fn an_identity_that_azure_does_not_show_yet_is_deleted_all_the_same() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    world.identity = None;
    let deletion = Deletion {
        owner: desired(&profile()).owner,
        policy: DeletionPolicy::Delete,
    };
    let plan = plan_deletion(&deletion, &world);
    assert!(
        matches!(plan.steps.last(), Some(Step::DeleteIdentity { .. })),
        "{plan}"
    );
}

#[test]
fn a_profile_whose_class_is_gone_is_deleted_whole() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    let unknown = Owner {
        cluster: String::new(),
        ..desired(&profile()).owner
    };
    let deletion = Deletion {
        owner: unknown,
        policy: DeletionPolicy::Delete,
    };
    let words: Vec<&str> = plan_deletion(&deletion, &world)
        .steps
        .iter()
        .map(Step::name)
        .collect();
    assert_eq!(
        words[2..],
        [
            "AwaitUnassigned",
            "RevokeRole",
            "RevokeRole",
            "DeleteIdentity"
        ]
    );
}

#[test]
fn what_azure_does_not_show_yet_is_neither_lost_nor_taken_back() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    let identity = world.identity.take();
    let unseen = plan(&desired(&profile()), &world).expect("a plan");
    assert!(
        !unseen
            .steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{unseen}"
    );

    world.identity = identity;
    world.assignments.clear();
    let unseen = plan(&desired(&profile()), &world).expect("a plan");
    assert!(
        !unseen
            .steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{unseen}"
    );
    let asks_nothing = desired(&Profile {
        access: Vec::new(),
        ..profile()
    });
    let removed = plan(&asks_nothing, &world).expect("a plan");
    assert!(
        removed
            .steps
            .iter()
            .any(|s| matches!(s, Step::RevokeRole { .. })),
        "{removed}"
    );
}

#[test]
fn an_identity_made_again_by_others_gets_its_rights_and_the_old_ones_go() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    let identity = world.identity.as_mut().expect("there");
    identity.principal_id = "p-again".into();
    identity.client_id = "c-again".into();
    let plan = reconcile(&profile(), &mut world);
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
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    let identity = world.identity.as_mut().expect("there");
    identity.tags = [("cost".to_owned(), "42".to_owned())].into();
    reconcile(&profile(), &mut world);
    let tags = &world.identity.as_ref().expect("there").tags;
    assert_eq!(
        (tags["cost"].as_str(), tags["podid-uid"].as_str()),
        ("42", "uid")
    );
}

#[test]
fn objects_of_others_are_refused_by_name() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    world.binding.as_mut().expect("there").owned = false;
    let child = world.azure_identity.as_mut().expect("there");
    child.applied_by = Some("Kustomization flux-system/apps".into());
    let refusals = plan(&desired(&profile()), &world).expect_err("refused");
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
fn a_renamed_identity_retires_the_former_one_last() {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    let former = world.record.identity.clone().expect("recorded").id;
    world.identity = None;
    let renamed = Profile {
        identity_name: Some("cart-new".into()),
        ..profile()
    };
    let plan = plan(&desired(&renamed), &world).expect("a plan");
    assert!(matches!(&plan.steps[0], Step::CreateIdentity { id, .. } if id.name() == "cart-new"));
    let tail: Vec<&Step> = plan.steps.iter().rev().take(3).collect();
    assert!(
        matches!(tail[0], Step::DeleteIdentity { id } if *id == former),
        "{plan}"
    );
    assert!(matches!(tail[1], Step::RevokeRole { .. }), "{plan}");
}

/// What somebody may have made of the identity that podid made for [`profile`].
#[derive(Clone, Copy, Debug)]
enum Fate {
    Kept,
    Untagged,
    Unseen,
    MadeAnew,
    Retagged,
    Reborn,
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::Kept,
        Self::Untagged,
        Self::Unseen,
        Self::MadeAnew,
        Self::Retagged,
        Self::Reborn,
    ];

    fn is_ours(self) -> bool {
        matches!(self, Self::Kept | Self::Untagged | Self::Unseen)
    }

    fn befall(self, identity: ManagedIdentity) -> Option<ManagedIdentity> {
        let owned_by = |name: &str| Owner {
            profile: name.into(),
            uid: "another".into(),
            ..desired(&profile()).owner
        };
        let (tags, principal_id) = match self {
            Self::Kept => return Some(identity),
            Self::Unseen => return None,
            Self::Untagged => (BTreeMap::new(), identity.principal_id.clone()),
            Self::MadeAnew => (BTreeMap::new(), "p-anew".to_owned()),
            Self::Retagged => (owned_by("other").tags(), identity.principal_id.clone()),
            Self::Reborn => (owned_by("cart").tags(), "p-anew".to_owned()),
        };
        Some(ManagedIdentity {
            tags,
            principal_id,
            ..identity
        })
    }
}

/// The profile's name was edited after its identity met its fate.
fn renamed(fate: Fate) -> (Profile, Observed) {
    let mut world = Observed::default();
    reconcile(&profile(), &mut world);
    world.former = world.identity.take().and_then(|made| fate.befall(made));
    let renamed = Profile {
        identity_name: Some("cart-new".into()),
        ..profile()
    };
    (renamed, world)
}

fn deleted(plan: &Plan) -> Vec<&ArmId> {
    let steps = plan.steps.iter();
    steps
        .filter_map(|step| match step {
            Step::DeleteIdentity { id } => Some(id),
            _ => None,
        })
        .collect()
}

#[test]
fn a_former_identity_that_is_somebody_elses_by_now_is_left_alone() {
    for fate in Fate::ALL {
        let (renamed, world) = renamed(fate);
        let former = &world.record.identity.as_ref().expect("recorded").id;
        let wanted = desired(&renamed);
        let deletion = Deletion {
            owner: wanted.owner.clone(),
            policy: DeletionPolicy::Delete,
        };
        let plans = [
            plan(&wanted, &world).expect("a plan"),
            plan_deletion(&deletion, &world),
        ];
        for plan in plans {
            let expected: &[&ArmId] = if fate.is_ours() { &[former] } else { &[] };
            assert_eq!(deleted(&plan), expected, "{fate:?}: {plan}");
            let let_go = |step: &Step| matches!(step, Step::AwaitUnassigned { id } if id == former);
            assert!(plan.steps.iter().any(let_go), "{fate:?}: {plan}");
        }
    }
}

fn asks() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence(vec![0, 1, 2], 0..=3).prop_shuffle()
}

fn asking(scopes: &[usize]) -> Profile {
    let access = scopes
        .iter()
        .map(|at| access("Key Vault Secrets User", SCOPES[*at]))
        .collect();
    Profile {
        access,
        ..profile()
    }
}

proptest! {
    #[test]
    fn after_a_plan_is_done_there_is_nothing_to_do(history in prop::collection::vec(asks(), 1..5)) {
        let mut world = Observed::default();
        for scopes in &history {
            reconcile(&asking(scopes), &mut world);
            prop_assert_eq!(plan(&desired(&asking(scopes)), &world).expect("a plan").steps, []);
        }
        let held = world.assignments.iter().filter(|a| a.principal_id != "machines").count();
        prop_assert_eq!(held, history.last().map_or(0, Vec::len));
    }

    #[test]
    fn the_order_of_access_does_not_matter(scopes in asks()) {
        let mut sorted = scopes.clone();
        sorted.sort_unstable();
        let (mut one, mut other) = (Observed::default(), Observed::default());
        reconcile(&asking(&scopes), &mut one);
        reconcile(&asking(&sorted), &mut other);
        prop_assert_eq!(plan(&desired(&asking(&sorted)), &one).expect("a plan").steps, []);
        prop_assert_eq!(plan(&desired(&asking(&scopes)), &other).expect("a plan").steps, []);
    }

    #[test]
    fn what_others_assigned_is_never_revoked(
        first in asks(),
        then in asks(),
        marked in prop::bool::ANY,
        deleted in prop::bool::ANY,
    ) {
        let mut world = Observed::default();
        reconcile(&asking(&first), &mut world);
        let principal = world.identity.as_ref().expect("there").principal_id.clone();
        // Copying our description is not enough: the name must be ours too.
        let owner = desired(&profile()).owner;
        let marker = owner.marker();
        let by_hand = foreign_assignment(SCOPES[2], &principal, marked.then_some(marker.as_str()));
        world.assignments.push(by_hand.clone());
        if deleted {
            let deletion = Deletion { owner, policy: DeletionPolicy::Delete };
            plan_deletion(&deletion, &world).steps.iter().for_each(|step| perform(step, &mut world));
        } else {
            reconcile(&asking(&then), &mut world);
        }
        prop_assert!(world.assignments.contains(&by_hand));
    }

    #[test]
    fn what_azure_shows_as_somebody_elses_is_never_deleted(
        former in prop::sample::select(&Fate::ALL[..]),
        wanted in prop::option::of(prop::sample::select(&Fate::ALL[..])),
        made in prop::bool::ANY,
        retain in prop::bool::ANY,
    ) {
        let (mut renamed, mut world) = renamed(former);
        renamed.deletion_policy = if retain { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
        let desired = desired(&renamed);
        let there = existing(&renamed, desired.owner.tags()).identity;
        world.identity = wanted.and_then(|fate| fate.befall(there?));
        if let Some(recorded) = &mut world.record.identity {
            recorded.created = made;
        }
        let deletion = Deletion { owner: desired.owner.clone(), policy: renamed.deletion_policy };
        let plans = plan(&desired, &world).into_iter().chain([plan_deletion(&deletion, &world)]);
        for plan in plans {
            for id in deleted(&plan) {
                prop_assert!(!retain, "{}", plan);
                let others = |shown: &ManagedIdentity| !made_for(shown, &desired.owner, &world.record);
                prop_assert!(!world.shown(id).is_some_and(others), "{}", plan);
            }
        }
    }

    #[test]
    fn a_plan_cut_short_anywhere_is_finished_by_the_next(cut in 0_usize..7, scopes in asks()) {
        let wanted = desired(&asking(&scopes));
        let mut world = Observed::default();
        let first = plan(&wanted, &world).expect("a plan");
        first.steps.iter().take(cut).for_each(|step| perform(step, &mut world));
        reconcile(&asking(&scopes), &mut world);
        prop_assert_eq!(plan(&wanted, &world).expect("a plan").steps, []);
    }
}
