//! Properties of plans over random histories of a profile.

use super::former::{Fate, deleted, renamed};
use super::*;

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
        let mut observed = Observed::default();
        for scopes in &history {
            reconcile(&asking(scopes), &mut observed);
            prop_assert_eq!(plan(&desired(&asking(scopes)), &observed).expect("a plan").steps, []);
        }
        let held = observed.role_assignments.iter().filter(|a| a.principal_id != "machines").count();
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
        let mut observed = Observed::default();
        reconcile(&asking(&first), &mut observed);
        let principal = observed.identity.as_ref().expect("there").principal_id.clone();
        // Copying our description is not enough: the name must be ours too.
        let owner = desired(&profile()).owner;
        let marker = owner.marker();
        let by_hand = foreign_assignment(SCOPES[2], &principal, marked.then_some(marker.as_str()));
        observed.role_assignments.push(by_hand.clone());
        if deleted {
            let deletion = Deletion { owner, policy: DeletionPolicy::Delete };
            plan_deletion(&deletion, &observed).steps.iter().for_each(|step| perform(step, &mut observed));
        } else {
            reconcile(&asking(&then), &mut observed);
        }
        prop_assert!(observed.role_assignments.contains(&by_hand));
    }

    #[test]
    fn what_azure_shows_as_somebody_elses_is_never_deleted(
        former in prop::sample::select(&Fate::ALL[..]),
        wanted in prop::option::of(prop::sample::select(&Fate::ALL[..])),
        made in prop::bool::ANY,
        retain in prop::bool::ANY,
    ) {
        let (mut renamed, mut observed) = renamed(former);
        renamed.deletion_policy = if retain { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
        let desired = desired(&renamed);
        let there = existing(&renamed, desired.owner.tags()).identity;
        observed.identity = wanted.and_then(|fate| fate.befall(there?));
        if let Some(recorded) = &mut observed.record.identity {
            recorded.created = made;
        }
        let deletion = Deletion { owner: desired.owner.clone(), policy: renamed.deletion_policy };
        let plans = plan(&desired, &observed).into_iter().chain([plan_deletion(&deletion, &observed)]);
        for plan in plans {
            for id in deleted(&plan) {
                prop_assert!(!retain, "{}", plan);
                let others = |shown: &ManagedIdentity| !made_for(shown, &desired.owner, &observed.record);
                prop_assert!(!observed.shown(id).is_some_and(others), "{}", plan);
            }
        }
    }

    #[test]
    fn a_plan_cut_short_anywhere_is_finished_by_the_next(cut in 0_usize..7, scopes in asks()) {
        let wanted = desired(&asking(&scopes));
        let mut observed = Observed::default();
        let first = plan(&wanted, &observed).expect("a plan");
        first.steps.iter().take(cut).for_each(|step| perform(step, &mut observed));
        reconcile(&asking(&scopes), &mut observed);
        prop_assert_eq!(plan(&wanted, &observed).expect("a plan").steps, []);
    }
}
