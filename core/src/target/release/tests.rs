use std::collections::BTreeMap;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::owner::Origin;
use crate::testing::{binding, id, ids};

type Known = BTreeMap<Target, BTreeSet<ArmId>>;

fn scale_set(number: usize) -> Target {
    let group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute";
    Target::parse(&format!("{group}/virtualMachineScaleSets/p{number}")).expect("a scale set")
}

fn profile() -> ObjectKey {
    ObjectKey::new("apps", "web")
}

fn own() -> Binding {
    Binding {
        origin: Origin::Profile,
        ..binding("web", "web")
    }
}

/// Bindings that are not the profile's own, each for another reason.
fn of_others() -> [Binding; 3] {
    let name = Binding {
        name: "cart".into(),
        ..own()
    };
    let namespace = Binding {
        namespace: "shop".into(),
        ..own()
    };
    [name, namespace, binding("web", "web")]
}

#[test]
fn only_the_binding_that_a_profile_made_under_its_name_is_its_own() {
    assert!(!is_only_used_by_others([&own()], &profile()));
    for other in &of_others() {
        assert!(is_only_used_by_others([other], &profile()), "{other:?}");
        let both = [other, &own()];
        assert!(!is_only_used_by_others(both, &profile()), "{other:?}");
    }
    assert!(!is_only_used_by_others([], &profile()), "nobody uses it");
}

fn known() -> impl Strategy<Value = Known> {
    vec(btree_set("[a-d]", 0..4), 0..4).prop_map(|targets| {
        let numbered = targets.into_iter().enumerate();
        let named = numbered.map(|(number, names)| {
            let ids = names.iter().map(|name| id(name)).collect();
            (scale_set(number), ids)
        });
        named.collect()
    })
}

proptest! {
    #[test]
    fn an_identity_is_free_only_when_every_answer_is_there_and_no_target_has_it(
        known in known(),
        lost in any::<bool>(),
    ) {
        for a in ids(&["a", "b", "c", "d"]) {
            let found = TargetsWithIdentity::of(&a, (!lost).then_some(&known));
            let having = known.iter().filter(|(_, ids)| ids.contains(&a));
            let having: Vec<Target> = having.map(|(target, _)| target.clone()).collect();
            let expected = match (lost, having.is_empty()) {
                (true, _) => TargetsWithIdentity::Unknown,
                (false, true) => TargetsWithIdentity::Nowhere,
                (false, false) => TargetsWithIdentity::On(having),
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_profile_lets_go_only_of_targets_that_others_alone_use_it_on(
        known in known(),
        lost in any::<bool>(),
        uses in vec(prop::sample::subsequence(vec![0_usize, 1, 2, 3], 0..=4), 4),
    ) {
        let bindings = of_others();
        let bindings = [&bindings[0], &bindings[1], &bindings[2], &own()];
        let on = |target: &Target| {
            let number = (0..4).find(|number| scale_set(*number) == *target).expect("known");
            uses[number].iter().map(|at| bindings[*at])
        };
        for a in ids(&["a", "b"]) {
            let anybody = TargetsWithIdentity::of(&a, (!lost).then_some(&known));
            let found = anybody.clone().without(|target| is_only_used_by_others(on(target), &profile()));
            if lost {
                prop_assert_eq!(found, TargetsWithIdentity::Unknown);
                continue;
            }
            for (target, ids) in &known {
                let others_only = on(target).count() > 0 && on(target).all(|one| *one != own());
                let counts = matches!(&found, TargetsWithIdentity::On(on) if on.contains(target));
                prop_assert_eq!(counts, ids.contains(&a) && !others_only, "{}", target);
            }
        }
    }
}
