use std::collections::BTreeMap;

use podid_core::arm::IDENTITY_TYPE;
use podid_core::binding::{AzureIdentityType, HandWrittenLimits, Unserved, verify};
use podid_core::net_raw::Breach;
use podid_core::net_raw::NetRaw;
use podid_core::owner::Origin;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A fact that arrives; a small world, so that facts meet.
#[derive(Clone, Debug)]
enum Fact {
    Pod(usize, Option<PlacedPod>),
    Node(usize, Option<usize>),
    Binding(usize, Option<(usize, usize, Origin)>),
    Identity(usize, Option<(usize, Kind)>),
    /// What the profile of an AzureIdentity's name has in its status.
    Recorded(usize, Option<usize>),
    /// What Azure says of a managed identity.
    Known(usize, Option<IdentityLookup>),
}

/// Where an AzureIdentity comes from, and what it asks of pods.
type Kind = (Origin, NetRaw);

const NAMESPACES: [&str; 2] = ["a", "b"];

fn namespace(number: usize) -> &'static str {
    NAMESPACES[number % NAMESPACES.len()]
}

fn pod_key(number: usize) -> ObjectKey {
    ObjectKey::new(namespace(number), format!("pod{number}"))
}

fn placed(number: usize, uid: usize, selector: usize, node: usize) -> PlacedPod {
    keeping(number, uid, selector, node, &[])
}

fn keeping(
    number: usize,
    uid: usize,
    selector: usize,
    node: usize,
    breaches: &[Breach],
) -> PlacedPod {
    let key = pod_key(number);
    PlacedPod {
        pod: Pod {
            namespace: key.namespace,
            name: key.name,
            uid: format!("u{uid}"),
            selector: Some(format!("s{selector}")),
            service_account: "default".into(),
            breaches: breaches.iter().cloned().collect(),
            unserved: breaches
                .contains(&Breach::HostNetwork)
                .then_some(Unserved::HostNetwork),
        },
        node: format!("n{node}"),
    }
}

/// The same in the status of a profile.
fn recorded(number: usize) -> RecordedIdentity {
    RecordedIdentity {
        id: resource(number),
        class: "standard".into(),
    }
}

fn node_target(number: usize) -> Result<Target, NodeTargetError> {
    let group = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute";
    Target::from_provider_id(&match number {
        0 => "kind://elsewhere".to_owned(),
        1 => format!("{group}/virtualMachines/vm"),
        n => format!("{group}/virtualMachineScaleSets/pool/virtualMachines/{n}"),
    })
}

fn binding(number: usize, (identity, selector, origin): (usize, usize, Origin)) -> Binding {
    Binding {
        namespace: namespace(number).into(),
        name: format!("b{number}"),
        identity: format!("i{identity}"),
        selector: format!("s{selector}"),
        service_accounts: BTreeSet::new(),
        origin,
    }
}

fn resource(number: usize) -> ArmId {
    ArmId::new(format!(
        "/subscriptions/s/resourceGroups/g/providers/{IDENTITY_TYPE}/r{number}"
    ))
}

fn identity_key(number: usize) -> ObjectKey {
    ObjectKey::new(namespace(number / 2), format!("i{}", number % 2))
}

/// Nobody's, with the client id that objects here write.
fn free() -> IdentityLookup {
    IdentityLookup::Found {
        client_id: "c".into(),
        owner: None,
    }
}

/// Objects that name one managed identity may write two client ids.
fn client_of(net_raw: NetRaw) -> &'static str {
    match net_raw {
        NetRaw::Enforce => "another",
        NetRaw::Audit | NetRaw::Ignore => "c",
    }
}

const BY_HAND: Kind = (Origin::HandWritten, NetRaw::Ignore);

fn identity(number: usize, (of, (origin, net_raw)): (usize, Kind)) -> AzureIdentity {
    AzureIdentity {
        namespace: namespace(number / 2).into(),
        name: format!("i{}", number % 2),
        kind: AzureIdentityType::Managed,
        client_id: client_of(net_raw).into(),
        resource_id: resource(of),
        principal_id: None,
        namespaced: number == 3,
        origin,
        net_raw,
        class: None,
    }
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![Just(Origin::HandWritten), Just(Origin::Profile)]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(BY_HAND),
        Just((Origin::Profile, NetRaw::Ignore)),
        Just((Origin::Profile, NetRaw::Enforce)),
    ]
}

fn breaches() -> impl Strategy<Value = Vec<Breach>> {
    let keeps = Breach::KeepsNetRaw("app".into());
    prop_oneof![
        2 => Just(vec![]),
        1 => Just(vec![keeps]),
        1 => Just(vec![Breach::HostNetwork]),
    ]
}

fn known() -> impl Strategy<Value = IdentityLookup> {
    let wrong = IdentityLookup::Found {
        client_id: "another".into(),
        owner: None,
    };
    prop_oneof![2 => Just(free()), 1 => Just(wrong), 1 => Just(IdentityLookup::Absent)]
}

fn fact() -> impl Strategy<Value = Fact> {
    use prop::option::weighted;
    let pod = (0..2_usize, 0..3_usize, 0..4_usize, breaches());
    prop_oneof![
        (0..6_usize, weighted(0.8, pod)).prop_map(|(pod, is)| {
            let is = is.map(|(uid, selector, node, breaches)| {
                keeping(pod, uid, selector, node, &breaches)
            });
            Fact::Pod(pod, is)
        }),
        (0..4_usize, weighted(0.8, 0..4_usize)).prop_map(|(node, is)| Fact::Node(node, is)),
        (
            0..4_usize,
            weighted(0.8, (0..2_usize, 0..3_usize, origin()))
        )
            .prop_map(|(binding, is)| Fact::Binding(binding, is)),
        (0..4_usize, weighted(0.8, (0..3_usize, kind())))
            .prop_map(|(id, is)| Fact::Identity(id, is)),
        (0..4_usize, weighted(0.8, 0..3_usize)).prop_map(|(id, is)| Fact::Recorded(id, is)),
        (0..3_usize, weighted(0.8, known())).prop_map(|(id, is)| Fact::Known(id, is)),
    ]
}

fn apply(index: &mut AssignmentIndex, fact: &Fact) {
    match fact {
        Fact::Pod(number, is) => index.set_pod(&pod_key(*number), is.clone()),
        Fact::Node(number, is) => index.set_node(&format!("n{number}"), is.map(node_target)),
        Fact::Binding(number, is) => {
            let key = ObjectKey::new(namespace(*number), format!("b{number}"));
            index.set_binding(&key, is.map(|is| binding(*number, is)));
        }
        Fact::Identity(number, is) => {
            index.set_identity(&identity_key(*number), is.map(|is| identity(*number, is)));
        }
        Fact::Recorded(number, is) => {
            index.set_recorded(&identity_key(*number), is.map(recorded));
        }
        Fact::Known(number, is) => index.set_known(&resource(*number), is.clone()),
    }
}

/// Everything at once, by the rules alone.
#[derive(Default)]
struct Whole {
    wanted: BTreeMap<Target, DesiredIdentities>,
    checks: BTreeSet<ArmId>,
    refused: BTreeSet<ObjectKey>,
    /// By the profile whose AzureIdentity pods use.
    uses: BTreeMap<ObjectKey, BTreeSet<(Target, ArmId)>>,
}

fn by_the_rules(facts: &[Fact]) -> Whole {
    let (mut pods, mut nodes) = (BTreeMap::new(), BTreeMap::new());
    let (mut bindings, mut identities) = (BTreeMap::new(), BTreeMap::new());
    let (mut recorded, mut known) = (BTreeMap::new(), BTreeMap::new());
    for fact in facts {
        match fact {
            Fact::Pod(number, is) => drop(pods.insert(*number, is.clone())),
            Fact::Node(number, is) => drop(nodes.insert(format!("n{number}"), is.map(node_target))),
            Fact::Binding(number, is) => {
                bindings.insert(*number, is.map(|is| binding(*number, is)));
            }
            Fact::Identity(number, is) => {
                identities.insert(*number, is.map(|is| identity(*number, is)));
            }
            Fact::Recorded(number, is) => {
                recorded.insert(identity_key(*number), is.map(resource));
            }
            Fact::Known(number, is) => drop(known.insert(resource(*number), is.clone())),
        }
    }
    let bindings: Vec<Binding> = bindings.into_values().flatten().collect();
    let identities: Vec<AzureIdentity> = identities.into_values().flatten().collect();
    let mut whole = Whole::default();
    let mut clients: BTreeMap<(Target, ArmId), BTreeSet<String>> = BTreeMap::new();
    for (number, placed) in pods {
        let Some(placed) = placed else { continue };
        let pod_identities =
            pod_identities(&placed.pod, &bindings, &identities, ServingRules::default());
        if pod_identities.refused.is_some() {
            whole.refused.insert(pod_key(number));
        }
        for wanted in pod_identities.wanted {
            let identity = wanted.identity;
            let key = ObjectKey::new(&identity.namespace, &identity.name);
            let id = identity.resource_id.clone();
            let own = recorded.get(&key).and_then(Option::as_ref);
            let said = known.get(&id).and_then(Option::as_ref);
            if identity.origin == Origin::HandWritten || own != Some(&id) {
                whole.checks.insert(id.clone());
            }
            let Some(Some(Ok(target))) = nodes.get(&placed.node) else {
                continue;
            };
            if identity.origin == Origin::Profile {
                let uses = whole.uses.entry(key).or_default();
                uses.insert((target.clone(), id.clone()));
            }
            let on = whole.wanted.entry(target.clone()).or_default();
            match verify(&identity, own, said, HandWrittenLimits::ANY) {
                Verification::Verified => {
                    let on_target = clients.entry((target.clone(), id.clone())).or_default();
                    on_target.insert(identity.client_id);
                    on.desired.insert(id);
                }
                Verification::Pending(_) => drop(on.kept.insert(id)),
                Verification::Refused(_) => {}
            }
        }
    }
    for ((target, id), mut clients) in clients {
        let on = whole.wanted.entry(target).or_default();
        on.client_ids.extend(
            clients
                .pop_first()
                .filter(|_| clients.is_empty())
                .map(|one| (id, one)),
        );
    }
    whole
}

fn targets() -> BTreeSet<Target> {
    (0..4)
        .filter_map(|number| node_target(number).ok())
        .collect()
}

proptest! {
    #[test]
    fn step_by_step_comes_to_the_same_as_all_at_once(facts in vec(fact(), 0..60)) {
        let mut index = AssignmentIndex::new(ServingRules::default());
        facts.iter().for_each(|fact| apply(&mut index, fact));
        let mut expected = by_the_rules(&facts);
        for target in targets() {
            let wanted = expected.wanted.get(&target).cloned().unwrap_or_default();
            prop_assert_eq!(index.desired(&target), wanted);
        }
        let used: BTreeSet<&Target> = index.0.derive().users.targets().collect();
        expected.wanted.retain(|_, wanted| *wanted != DesiredIdentities::default());
        prop_assert_eq!(used, expected.wanted.keys().collect(), "none is kept without users");
        for id in (0..3).map(resource) {
            prop_assert_eq!(index.needs_check(&id), expected.checks.contains(&id), "{}", id);
        }
        for profile in (0..4).map(identity_key) {
            let uses = expected.uses.remove(&profile).unwrap_or_default();
            prop_assert_eq!(index.uses_of_profile(&profile), uses, "{}", profile);
        }
        prop_assert!(expected.uses.is_empty());
        for key in (0..6).map(pod_key) {
            let entry = index.pod(&key);
            let refused = entry.is_some_and(|entry| entry.pod_identities.refused.is_some());
            prop_assert_eq!(refused, expected.refused.contains(&key), "{}", key);
        }
    }

    #[test]
    fn whatever_changes_is_told(facts in vec(fact(), 0..60)) {
        let mut index = AssignmentIndex::new(ServingRules::default());
        for fact in &facts {
            let before: Vec<_> = targets().iter().map(|target| index.desired(target)).collect();
            let asked: Vec<_> = (0..3).map(|id| index.needs_check(&resource(id))).collect();
            let pods_before: Vec<_> = (0..6).map(|pod| index.pod(&pod_key(pod)).cloned()).collect();
            apply(&mut index, fact);
            let dirty = index.take_dirty();
            for (target, before) in targets().iter().zip(before) {
                if index.desired(target) != before {
                    prop_assert!(dirty.targets.contains(target), "{} after {:?}", target, fact);
                }
            }
            for (id, before) in asked.into_iter().enumerate() {
                let id = resource(id);
                if index.needs_check(&id) != before {
                    prop_assert!(dirty.identities.contains(&id), "{} after {:?}", id, fact);
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
        let mut index = AssignmentIndex::new(ServingRules::default());
        for fact in &facts {
            apply(&mut index, fact);
            index.take_dirty();
            apply(&mut index, fact);
            prop_assert_eq!(index.take_dirty(), Dirty::default());
        }
    }

    #[test]
    fn when_everything_is_gone_nothing_is_kept(facts in vec(fact(), 0..40)) {
        let mut index = AssignmentIndex::new(ServingRules::default());
        facts.iter().for_each(|fact| apply(&mut index, fact));
        for number in 0..6 {
            apply(&mut index, &Fact::Pod(number, None));
            apply(&mut index, &Fact::Node(number, None));
            apply(&mut index, &Fact::Binding(number, None));
            apply(&mut index, &Fact::Identity(number, None));
            apply(&mut index, &Fact::Recorded(number, None));
            apply(&mut index, &Fact::Known(number, None));
        }
        index.take_dirty();
        index.0.take_visited();
        prop_assert_eq!(format!("{index:?}"), format!("{:?}", AssignmentIndex::new(ServingRules::default())));
    }
}

#[test]
fn a_pod_that_came_before_its_node_is_placed_when_the_node_comes() {
    let mut index = AssignmentIndex::new(ServingRules::default());
    apply(&mut index, &Fact::Identity(0, Some((1, BY_HAND))));
    apply(&mut index, &Fact::Known(1, Some(free())));
    apply(
        &mut index,
        &Fact::Binding(0, Some((0, 0, Origin::HandWritten))),
    );
    apply(&mut index, &Fact::Pod(0, Some(placed(0, 0, 0, 2))));
    assert!(index.take_dirty().targets.is_empty());
    apply(&mut index, &Fact::Node(2, Some(2)));
    let target = node_target(2).expect("a scale set");
    assert_eq!(index.take_dirty().targets, BTreeSet::from([target.clone()]));
    assert_eq!(index.desired(&target).desired.len(), 1);
}

/// Weakness 30 of the predecessor: it knew the users of an identity by the pod's name and the client id, so that of two
/// pods of one name in two namespaces the first that went took the other's identity.
#[test]
fn equal_pod_names_in_two_namespaces_protect_each_other() {
    let mut index = AssignmentIndex::new(ServingRules::default());
    apply(&mut index, &Fact::Identity(0, Some((1, BY_HAND))));
    apply(&mut index, &Fact::Known(1, Some(free())));
    apply(
        &mut index,
        &Fact::Binding(0, Some((0, 0, Origin::HandWritten))),
    );
    apply(&mut index, &Fact::Node(2, Some(2)));
    let keys = NAMESPACES.map(|namespace| ObjectKey::new(namespace, "web-0"));
    for key in &keys {
        let mut pod = placed(0, 0, 0, 2);
        pod.pod.namespace = key.namespace.clone();
        pod.pod.name = key.name.clone();
        index.set_pod(key, Some(pod));
    }
    let target = node_target(2).expect("a scale set");
    index.set_pod(&keys[0], None);
    assert_eq!(
        index.desired(&target).desired.len(),
        1,
        "the other still uses it"
    );
    index.set_pod(&keys[1], None);
    assert!(index.desired(&target).desired.is_empty());
}

#[test]
fn a_target_is_others_once_no_pod_uses_the_identity_by_the_profiles_binding() {
    let mut index = AssignmentIndex::new(ServingRules::default());
    let (target, id) = (node_target(2).expect("a scale set"), resource(1));
    let profile = ObjectKey::new(namespace(0), "b0");
    let by_others = |index: &AssignmentIndex| index.is_only_used_by_others(&target, &id, &profile);
    apply(&mut index, &Fact::Identity(0, Some((1, BY_HAND))));
    apply(&mut index, &Fact::Known(1, Some(free())));
    apply(&mut index, &Fact::Node(2, Some(2)));
    apply(&mut index, &Fact::Pod(0, Some(placed(0, 0, 0, 2))));
    apply(&mut index, &Fact::Pod(2, Some(placed(2, 0, 1, 2))));
    assert!(!by_others(&index), "nobody uses it");
    apply(&mut index, &Fact::Binding(0, Some((0, 0, Origin::Profile))));
    assert!(!by_others(&index));
    let by_hand = Some((0, 1, Origin::HandWritten));
    apply(&mut index, &Fact::Binding(2, by_hand));
    assert!(!by_others(&index), "both use it");
    apply(&mut index, &Fact::Binding(0, None));
    assert!(by_others(&index));
    apply(&mut index, &Fact::Known(1, None));
    assert!(by_others(&index), "it stays until it is verified");
    let forged = Some((0, 0, Origin::HandWritten));
    apply(&mut index, &Fact::Binding(0, forged));
    assert!(
        by_others(&index),
        "the name alone makes no binding a profile's"
    );
    apply(&mut index, &Fact::Binding(0, None));
    apply(&mut index, &Fact::Pod(2, None));
    assert!(!by_others(&index), "it is about to be taken off");
}

/// As many pods, bindings and identities; ten pods on each node, each with an identity of its own.
fn cluster(size: usize) -> AssignmentIndex {
    let mut index = AssignmentIndex::new(ServingRules::default());
    for number in 0..size {
        steps(number).iter().for_each(|(_, set, _)| set(&mut index));
    }
    index
}

type Step = Box<dyn Fn(&mut AssignmentIndex)>;

/// Every kind of change that concerns pod `number`: its name, and how to make and to unmake it.
fn steps(number: usize) -> Vec<(&'static str, Step, Step)> {
    let key =
        move |kind: &str| ObjectKey::new(format!("ns{}", number / 10), format!("{kind}{number}"));
    let node = format!("n{}", number / 10);
    let no_node = node.clone();
    let bound = Binding {
        namespace: key("b").namespace,
        name: key("b").name,
        identity: key("i").name,
        selector: format!("s{number}"),
        ..binding(0, (0, 0, Origin::Profile))
    };
    let named = AzureIdentity {
        namespace: key("i").namespace,
        name: key("i").name,
        resource_id: resource(number),
        ..identity(0, (0, (Origin::HandWritten, NetRaw::Ignore)))
    };
    let mut pod = placed(0, number, number, number / 10);
    pod.pod.namespace = key("p").namespace;
    pod.pod.name = key("p").name;
    vec![
        (
            "node",
            Box::new(move |index| index.set_node(&node, Some(node_target(1)))),
            Box::new(move |index| index.set_node(&no_node, None)),
        ),
        (
            "binding",
            Box::new(move |index| index.set_binding(&key("b"), Some(bound.clone()))),
            Box::new(move |index| index.set_binding(&key("b"), None)),
        ),
        (
            "identity",
            Box::new(move |index| index.set_identity(&key("i"), Some(named.clone()))),
            Box::new(move |index| index.set_identity(&key("i"), None)),
        ),
        (
            "profile",
            Box::new(move |index| index.set_recorded(&key("i"), Some(recorded(number)))),
            Box::new(move |index| index.set_recorded(&key("i"), None)),
        ),
        (
            "lookup",
            Box::new(move |index| index.set_known(&resource(number), Some(free()))),
            Box::new(move |index| index.set_known(&resource(number), None)),
        ),
        (
            "pod",
            Box::new(move |index| index.set_pod(&key("p"), Some(pod.clone()))),
            Box::new(move |index| index.set_pod(&key("p"), None)),
        ),
    ]
}

/// The objects that each kind of change looks at, as each goes and comes back.
fn work(size: usize) -> Vec<(&'static str, usize)> {
    let mut index = cluster(size);
    index.0.take_visited();
    let mut costs = Vec::new();
    for (change, set, unset) in steps(33) {
        unset(&mut index);
        set(&mut index);
        costs.push((change, index.0.take_visited()));
    }
    costs
}

/// Weakness 3 of the predecessor: for every event it computed anew which of all pods every binding selects.
#[test]
fn work_per_change_does_not_grow_with_the_cluster() {
    let small = work(100);
    assert_eq!(small, work(20_000));
    for (change, visited) in small {
        assert!((1..=100).contains(&visited), "{change}: {visited}");
    }
}
