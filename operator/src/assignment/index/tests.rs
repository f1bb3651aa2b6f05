use std::collections::BTreeMap;

use podid_core::arm::IDENTITY_TYPE;
use podid_core::binding::{IdentityKind, Origin};
use podid_core::profile::NetRaw;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A fact that arrives; a small world, so that facts meet.
#[derive(Clone, Debug)]
enum Fact {
    Pod(usize, Option<PlacedPod>),
    Node(usize, Option<usize>),
    Binding(usize, Option<(usize, usize)>),
    Identity(usize, Option<usize>),
}

const NAMESPACES: [&str; 2] = ["a", "b"];

fn namespace(number: usize) -> &'static str {
    NAMESPACES[number % NAMESPACES.len()]
}

fn pod_key(number: usize) -> ObjectKey {
    ObjectKey::new(namespace(number), format!("pod{number}"))
}

fn placed(number: usize, uid: usize, selector: usize, node: usize) -> PlacedPod {
    let key = pod_key(number);
    PlacedPod {
        pod: Pod {
            namespace: key.namespace,
            name: key.name,
            uid: format!("u{uid}"),
            selector: Some(format!("s{selector}")),
            service_account: "default".into(),
            breaches: BTreeSet::new(),
        },
        node: format!("n{node}"),
    }
}

fn machine(number: usize) -> Result<Target, ProviderIdError> {
    let group = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute";
    Target::from_provider_id(&match number {
        0 => "kind://elsewhere".to_owned(),
        1 => format!("{group}/virtualMachines/vm"),
        n => format!("{group}/virtualMachineScaleSets/pool/virtualMachines/{n}"),
    })
}

fn binding(number: usize, (identity, selector): (usize, usize)) -> Binding {
    Binding {
        namespace: namespace(number).into(),
        name: format!("b{number}"),
        identity: format!("i{identity}"),
        selector: format!("s{selector}"),
        service_accounts: BTreeSet::new(),
        origin: Origin::HandWritten,
    }
}

fn identity(number: usize, resource: usize) -> Identity {
    Identity {
        namespace: namespace(number / 2).into(),
        name: format!("i{}", number % 2),
        kind: IdentityKind::Managed,
        client_id: "c".into(),
        resource_id: ArmId::new(format!(
            "/subscriptions/s/resourceGroups/g/providers/{IDENTITY_TYPE}/r{resource}"
        )),
        principal_id: None,
        namespaced: number == 3,
        origin: Origin::HandWritten,
        net_raw: NetRaw::Ignore,
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    use prop::option::weighted;
    prop_oneof![
        (
            0..6_usize,
            weighted(0.8, (0..2_usize, 0..3_usize, 0..4_usize))
        )
            .prop_map(|(pod, is)| {
                Fact::Pod(
                    pod,
                    is.map(|(uid, selector, node)| placed(pod, uid, selector, node)),
                )
            }),
        (0..4_usize, weighted(0.8, 0..4_usize)).prop_map(|(node, is)| Fact::Node(node, is)),
        (0..4_usize, weighted(0.8, (0..2_usize, 0..3_usize)))
            .prop_map(|(binding, is)| Fact::Binding(binding, is)),
        (0..4_usize, weighted(0.8, 0..3_usize)).prop_map(|(id, is)| Fact::Identity(id, is)),
    ]
}

fn apply(index: &mut Index, fact: &Fact) {
    match fact {
        Fact::Pod(number, is) => index.set_pod(&pod_key(*number), is.clone()),
        Fact::Node(number, is) => index.set_node(&format!("n{number}"), is.map(machine)),
        Fact::Binding(number, is) => {
            let key = ObjectKey::new(namespace(*number), format!("b{number}"));
            index.set_binding(&key, is.map(|is| binding(*number, is)));
        }
        Fact::Identity(number, is) => {
            let key = ObjectKey::new(namespace(number / 2), format!("i{}", number % 2));
            index.set_identity(&key, is.map(|resource| identity(*number, resource)));
        }
    }
}

/// Everything at once, by the rule alone: what each machine should carry.
fn by_the_rule(facts: &[Fact]) -> BTreeMap<Target, BTreeSet<ArmId>> {
    let (mut pods, mut nodes) = (BTreeMap::new(), BTreeMap::new());
    let (mut bindings, mut identities) = (BTreeMap::new(), BTreeMap::new());
    for fact in facts {
        match fact {
            Fact::Pod(number, is) => drop(pods.insert(*number, is.clone())),
            Fact::Node(number, is) => drop(nodes.insert(format!("n{number}"), is.map(machine))),
            Fact::Binding(number, is) => {
                bindings.insert(*number, is.map(|is| binding(*number, is)));
            }
            Fact::Identity(number, is) => {
                identities.insert(*number, is.map(|resource| identity(*number, resource)));
            }
        }
    }
    let bindings: Vec<Binding> = bindings.into_values().flatten().collect();
    let identities: Vec<Identity> = identities.into_values().flatten().collect();
    let mut desired: BTreeMap<Target, BTreeSet<ArmId>> = BTreeMap::new();
    for placed in pods.into_values().flatten() {
        let Some(Some(Ok(target))) = nodes.get(&placed.node) else {
            continue;
        };
        let assignments = assignments_of(&placed.pod, &bindings, &identities, Reach::Cluster);
        for assignment in assignments.wanted {
            let on = desired.entry(target.clone()).or_default();
            on.insert(assignment.identity.resource_id);
        }
    }
    desired
}

fn targets() -> BTreeSet<Target> {
    (0..4).filter_map(|number| machine(number).ok()).collect()
}

proptest! {
    #[test]
    fn step_by_step_comes_to_the_same_as_all_at_once(facts in vec(fact(), 0..60)) {
        let mut index = Index::new(Reach::Cluster);
        facts.iter().for_each(|fact| apply(&mut index, fact));
        let expected = by_the_rule(&facts);
        for target in targets() {
            let desired = expected.get(&target).cloned().unwrap_or_default();
            prop_assert_eq!(index.desired(&target), desired);
        }
        prop_assert_eq!(index.users.len(), expected.len(), "no machine is kept without users");
    }

    #[test]
    fn whatever_changes_is_told(facts in vec(fact(), 0..60)) {
        let mut index = Index::new(Reach::Cluster);
        for fact in &facts {
            let before: Vec<_> = targets().iter().map(|target| index.desired(target)).collect();
            let pods_before: Vec<_> = (0..6).map(|pod| index.pod(&pod_key(pod)).cloned()).collect();
            apply(&mut index, fact);
            let dirty = index.take_dirty();
            for (target, before) in targets().iter().zip(before) {
                if index.desired(target) != before {
                    prop_assert!(dirty.targets.contains(target), "{} after {:?}", target, fact);
                }
            }
            for (pod, before) in pods_before.iter().enumerate() {
                if index.pod(&pod_key(pod)) != before.as_ref() {
                    prop_assert!(dirty.pods.contains(&pod_key(pod)), "{} after {:?}", pod, fact);
                }
            }
        }
    }

    #[test]
    fn telling_the_same_again_is_no_change(facts in vec(fact(), 0..40)) {
        let mut index = Index::new(Reach::Cluster);
        for fact in &facts {
            apply(&mut index, fact);
            index.take_dirty();
            apply(&mut index, fact);
            prop_assert_eq!(index.take_dirty(), Dirty::default());
        }
    }

    #[test]
    fn when_everything_is_gone_nothing_is_kept(facts in vec(fact(), 0..40)) {
        let mut index = Index::new(Reach::Cluster);
        facts.iter().for_each(|fact| apply(&mut index, fact));
        for number in 0..6 {
            apply(&mut index, &Fact::Pod(number, None));
            apply(&mut index, &Fact::Node(number, None));
            apply(&mut index, &Fact::Binding(number, None));
            apply(&mut index, &Fact::Identity(number, None));
        }
        index.take_dirty();
        prop_assert_eq!(format!("{index:?}"), format!("{:?}", Index::new(Reach::Cluster)));
    }
}

#[test]
fn a_pod_that_came_before_its_node_is_placed_when_the_node_comes() {
    let mut index = Index::new(Reach::Cluster);
    apply(&mut index, &Fact::Identity(0, Some(1)));
    apply(&mut index, &Fact::Binding(0, Some((0, 0))));
    apply(&mut index, &Fact::Pod(0, Some(placed(0, 0, 0, 2))));
    assert!(index.take_dirty().targets.is_empty());
    apply(&mut index, &Fact::Node(2, Some(2)));
    let target = machine(2).expect("a scale set");
    assert_eq!(index.take_dirty().targets, BTreeSet::from([target.clone()]));
    assert_eq!(index.desired(&target).len(), 1);
    assert_eq!(index.bound_pods(&ObjectKey::new("a", "i0")), 1);
}

#[test]
fn equal_pod_names_in_two_namespaces_protect_each_other() {
    let mut index = Index::new(Reach::Cluster);
    apply(&mut index, &Fact::Identity(0, Some(1)));
    apply(&mut index, &Fact::Binding(0, Some((0, 0))));
    apply(&mut index, &Fact::Node(2, Some(2)));
    let keys = NAMESPACES.map(|namespace| ObjectKey::new(namespace, "web-0"));
    for key in &keys {
        let mut pod = placed(0, 0, 0, 2);
        pod.pod.namespace = key.namespace.clone();
        pod.pod.name = key.name.clone();
        index.set_pod(key, Some(pod));
    }
    let target = machine(2).expect("a scale set");
    index.set_pod(&keys[0], None);
    assert_eq!(index.desired(&target).len(), 1, "the other still uses it");
    index.set_pod(&keys[1], None);
    assert!(index.desired(&target).is_empty());
}
