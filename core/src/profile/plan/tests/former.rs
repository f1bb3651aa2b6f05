//! Profiles that name another identity than before.

use super::*;

#[test]
fn a_renamed_identity_retires_the_former_one_last() {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let former = observed.record.identity.clone().expect("recorded").id;
    observed.identity = None;
    let renamed = Profile {
        identity_name: Some("cart-new".into()),
        ..profile()
    };
    let plan = plan(&desired(&renamed), &observed).expect("a plan");
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
pub(super) enum Fate {
    Kept,
    Untagged,
    Unseen,
    MadeAnew,
    Retagged,
    Reborn,
}

impl Fate {
    pub(super) const ALL: [Self; 6] = [
        Self::Kept,
        Self::Untagged,
        Self::Unseen,
        Self::MadeAnew,
        Self::Retagged,
        Self::Reborn,
    ];

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::Kept | Self::Untagged | Self::Unseen)
    }

    pub(super) fn befall(self, identity: ManagedIdentity) -> Option<ManagedIdentity> {
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
pub(super) fn renamed(fate: Fate) -> (Profile, Observed) {
    let mut observed = Observed::default();
    reconcile(&profile(), &mut observed);
    let made = observed.identity.take();
    observed
        .former
        .extend(made.and_then(|made| fate.befall(made)));
    let renamed = Profile {
        identity_name: Some("cart-new".into()),
        ..profile()
    };
    (renamed, observed)
}

pub(super) fn deleted(plan: &Plan) -> Vec<&ArmId> {
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
        let (renamed, observed) = renamed(fate);
        let former = &observed.record.identity.as_ref().expect("recorded").id;
        let wanted = desired(&renamed);
        let deletion = Deletion {
            owner: wanted.owner.clone(),
            policy: DeletionPolicy::Delete,
        };
        let plans = [
            plan(&wanted, &observed).expect("a plan"),
            plan_deletion(&deletion, &observed),
        ];
        for plan in plans {
            let expected: &[&ArmId] = if fate.is_ours() { &[former] } else { &[] };
            assert_eq!(deleted(&plan), expected, "{fate:?}: {plan}");
            let let_go =
                |step: &Step| matches!(step, Step::AwaitUnassigned { id, .. } if id == former);
            assert!(plan.steps.iter().any(let_go), "{fate:?}: {plan}");
        }
    }
}
