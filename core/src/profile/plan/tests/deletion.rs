//! Plans that delete a profile.

use std::collections::BTreeSet;

use super::*;

pub(super) fn deletion() -> Deletion {
    Deletion {
        owner: desired(&profile()).owner,
        policy: DeletionPolicy::Delete,
    }
}

#[test]
fn deleting_undoes_everything_in_the_order_that_serves_pods_longest() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let plan = plan_deletion(&deletion(), &observed);
    let words: Vec<String> = plan
        .sentences()
        .iter()
        .map(|s| s.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        words,
        [
            "delete AzureIdentityBinding",
            "wait until",
            "delete AzureIdentity",
            "wait until",
            "revoke Key",
            "revoke Managed",
            "delete identity"
        ]
    );
    let waits = plan.steps.iter().filter_map(|step| match step {
        Step::AwaitUnassigned { used_by, .. } => Some(*used_by),
        _ => None,
    });
    let waits: Vec<UsedBy> = waits.collect();
    assert_eq!(waits, [UsedBy::Profile, UsedBy::Anyone]);
    plan.steps
        .iter()
        .for_each(|step| perform(step, &mut observed));
    assert!(observed.identity.is_none() && observed.binding.is_none());
    let left: Vec<_> = observed
        .role_assignments
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
    let mut observed = Observed::default();
    reconcile(&retained, &mut observed);
    let owner = desired(&retained).owner;
    let plan = plan_deletion(
        &Deletion {
            owner: owner.clone(),
            policy: DeletionPolicy::Retain,
        },
        &observed,
    );
    let words: Vec<&str> = plan.steps.iter().map(Step::name).collect();
    assert_eq!(
        words,
        ["DeleteBinding", "AwaitUnassigned", "DeleteAzureIdentity"],
        "only the objects in the cluster: {plan}"
    );

    let adopting = Profile {
        creation_policy: CreationPolicy::Adopt,
        ..profile()
    };
    let mut observed = existing(&adopting, BTreeMap::new());
    reconcile(&adopting, &mut observed);
    let plan = plan_deletion(
        &Deletion {
            owner,
            policy: DeletionPolicy::Delete,
        },
        &observed,
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
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    observed.identity = None;
    let deletion = Deletion {
        owner: desired(&profile()).owner,
        policy: DeletionPolicy::Delete,
    };
    let plan = plan_deletion(&deletion, &observed);
    assert!(
        matches!(plan.steps.last(), Some(Step::DeleteIdentity { .. })),
        "{plan}"
    );
}

#[test]
fn a_profile_whose_class_is_gone_is_deleted_whole() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let unknown = Owner {
        cluster: String::new(),
        ..desired(&profile()).owner
    };
    let deletion = Deletion {
        owner: unknown,
        policy: DeletionPolicy::Delete,
    };
    let words: Vec<&str> = plan_deletion(&deletion, &observed)
        .steps
        .iter()
        .map(Step::name)
        .collect();
    assert_eq!(
        words[1..],
        [
            "AwaitUnassigned",
            "DeleteAzureIdentity",
            "AwaitUnassigned",
            "RevokeRole",
            "RevokeRole",
            "DeleteIdentity"
        ]
    );
}

#[test]
fn objects_of_others_outlive_the_profile() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    observed.binding.as_mut().expect("there").owned = false;
    observed.azure_identity.as_mut().expect("there").owned = false;
    let plan = plan_deletion(&deletion(), &observed);
    let words: Vec<&str> = plan.steps.iter().map(Step::name).collect();
    assert!(!words.contains(&"DeleteBinding"), "{plan}");
    assert!(!words.contains(&"DeleteAzureIdentity"), "{plan}");
}

#[test]
fn every_recorded_role_is_revoked_once_whether_azure_lists_it_or_not() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let mut recorded = observed
        .record
        .role_assignments
        .iter()
        .map(|entry| &entry.id);
    let recorded: BTreeSet<ArmId> = recorded.by_ref().cloned().collect();
    assert_eq!(recorded.len(), 2);
    let listed = observed.role_assignments.clone();
    for shown in 0..=listed.len() {
        observed.role_assignments = listed[..shown].to_vec();
        let plan = plan_deletion(&deletion(), &observed);
        let revoked = plan.steps.iter().filter_map(|step| match step {
            Step::RevokeRole { assignment, .. } => Some(assignment.clone()),
            _ => None,
        });
        let revoked: Vec<ArmId> = revoked.collect();
        assert_eq!(revoked.len(), 2, "{plan}");
        assert_eq!(BTreeSet::from_iter(revoked), recorded, "{plan}");
    }
}

/// What somebody else granted is not podid's to revoke, whatever it looks like.
#[test]
fn shared_roles_are_revoked_only_if_podid_granted_them() {
    use crate::profile::shared_roles::unneeded_roles;
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let owner = deletion().owner;
    let grants = unneeded_roles(&class(), &[]);
    let steps = |observed: &Observed| plan_release(&owner, &grants, observed).sentences();
    let revoked = "revoke Virtual Machine Contributor on /subscriptions/s/resourceGroups/nodes from principal machines";
    assert_eq!(steps(&observed), [revoked]);
    assert_eq!(plan_release(&owner, &[], &observed).steps, []);
    let is_shared = |it: &RoleAssignment| it.description.as_deref() == Some("podid: machines of c");
    let with = |change: &dyn Fn(&mut RoleAssignment)| {
        let mut observed = observed.clone();
        let mut all = observed.role_assignments.iter_mut();
        change(all.find(|it| is_shared(it)).expect("granted"));
        steps(&observed)
    };
    let none: [&str; 0] = [];
    assert_eq!(with(&|it| it.description = None), none);
    assert_eq!(
        with(&|it| it.description = Some("podid: machines of another".into())),
        none
    );
    assert_eq!(
        with(&|it| it.id = ArmId::new("/subscriptions/s/by-hand")),
        none
    );
}
