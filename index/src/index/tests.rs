use std::collections::BTreeMap;

use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentState;
use podid_core::binding::{AzureIdentityType, Pod};
use podid_core::net_raw::NetRaw;
use podid_core::owner::Origin;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, PartialEq)]
struct TestPod {
    pod: Pod,
    node: String,
}

impl PodOnNode for TestPod {
    fn pod(&self) -> &Pod {
        &self.pod
    }

    fn node(&self) -> &str {
        &self.node
    }
}

/// What concerns a pod, by name, and the pod's uid.
#[derive(Clone, Debug, Default, PartialEq)]
struct Names {
    uid: String,
    target: Option<bool>,
    bindings: Vec<String>,
    identities: Vec<(String, String)>,
    exceptions: Vec<String>,
    assigned: Vec<String>,
}

/// Derives the names, and counts the pods that have each binding, to see what `changed` is told.
#[derive(Debug, Default)]
struct DeriveNames {
    pods_of_binding: BTreeMap<String, usize>,
}

impl Derive for DeriveNames {
    type Pod = TestPod;
    type Output = Names;

    fn derive(&self, objects: &PodObjects<'_, TestPod>) -> Names {
        let identities = objects.identities.iter();
        let mut names = Names {
            uid: objects.pod.pod.uid.clone(),
            target: objects.target.map(Result::is_ok),
            bindings: objects
                .bindings
                .iter()
                .map(|one| one.name.clone())
                .collect(),
            identities: identities
                .map(|one| (one.full_name(), one.client_id.clone()))
                .collect(),
            exceptions: objects
                .exceptions
                .iter()
                .map(|one| one.name.clone())
                .collect(),
            assigned: objects
                .assigned
                .iter()
                .map(|(key, _)| key.to_string())
                .collect(),
        };
        names.bindings.sort();
        names
    }

    fn changed(&mut self, _: &ObjectKey, before: Option<&Names>, after: Option<&Names>) {
        for binding in before.iter().flat_map(|before| &before.bindings) {
            let count = self.pods_of_binding.get_mut(binding).expect("counted");
            *count -= 1;
            if *count == 0 {
                self.pods_of_binding.remove(binding);
            }
        }
        for binding in after.iter().flat_map(|after| &after.bindings) {
            *self.pods_of_binding.entry(binding.clone()).or_default() += 1;
        }
    }
}

/// A fact that arrives; few names, so that facts meet.
#[derive(Clone, Debug)]
enum Change {
    Pod(usize, Option<(usize, usize, usize)>),
    Node(usize, Option<bool>),
    Binding(usize, Option<(usize, usize)>),
    Identity(usize, Option<usize>),
    Exception(usize, bool),
    Assigned(usize, Option<usize>),
}

fn namespace(number: usize) -> &'static str {
    ["a", "b"][number % 2]
}

fn key(kind: &str, number: usize) -> ObjectKey {
    ObjectKey::new(namespace(number), format!("{kind}{number}"))
}

fn pod(key: &ObjectKey, uid: &str, selector: &str, node: &str) -> TestPod {
    TestPod {
        pod: Pod {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: uid.into(),
            selector: Some(selector.into()),
            service_account: "default".into(),
            breaches: BTreeSet::new(),
            unserved: None,
        },
        node: node.into(),
    }
}

fn target(known: bool) -> Result<Target, NodeTargetError> {
    let vm =
        "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm";
    Target::from_provider_id(if known { vm } else { "" })
}

fn binding(key: &ObjectKey, identity: &str, selector: &str) -> Binding {
    Binding {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        identity: identity.into(),
        selector: selector.into(),
        service_accounts: BTreeSet::new(),
        origin: Origin::HandWritten,
    }
}

fn identity(key: &ObjectKey, client_id: &str) -> AzureIdentity {
    AzureIdentity {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        kind: AzureIdentityType::Managed,
        client_id: client_id.into(),
        resource_id: ArmId::new("/id"),
        principal_id: None,
        namespaced: false,
        origin: Origin::HandWritten,
        net_raw: NetRaw::Ignore,
        class: None,
    }
}

fn exception(key: &ObjectKey) -> Exception {
    Exception {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        labels: BTreeMap::new(),
    }
}

fn assigned(uid: &str) -> AssignedIdentity {
    AssignedIdentity {
        pod_uid: uid.into(),
        node: "n".into(),
        identity: ("a".into(), "i".into()),
        resource_id: None,
        client_id: String::new(),
        binding: (String::new(), String::new()),
        state: AssignmentState::Created,
    }
}

fn change() -> impl Strategy<Value = Change> {
    use prop::option::weighted;
    let pod = weighted(0.8, (0..4_usize, 0..3_usize, 0..3_usize));
    prop_oneof![
        (0..6_usize, pod).prop_map(|(number, pod)| Change::Pod(number, pod)),
        (0..3_usize, weighted(0.8, any::<bool>())).prop_map(|(n, is)| Change::Node(n, is)),
        (0..4_usize, weighted(0.8, (0..4_usize, 0..3_usize)))
            .prop_map(|(n, is)| Change::Binding(n, is)),
        (0..4_usize, weighted(0.8, 0..2_usize)).prop_map(|(n, is)| Change::Identity(n, is)),
        (0..4_usize, any::<bool>()).prop_map(|(n, is)| Change::Exception(n, is)),
        (0..4_usize, weighted(0.8, 0..4_usize)).prop_map(|(n, is)| Change::Assigned(n, is)),
    ]
}

fn apply(index: &mut Index<DeriveNames>, change: &Change) {
    match *change {
        Change::Pod(number, is) => {
            let key = key("p", number);
            let is = is.map(|(uid, selector, node)| {
                pod(
                    &key,
                    &format!("u{uid}"),
                    &format!("s{selector}"),
                    &format!("n{node}"),
                )
            });
            index.set_pod(&key, is);
        }
        Change::Node(number, is) => index.set_node(&format!("n{number}"), is.map(target)),
        Change::Binding(number, is) => {
            let key = key("b", number);
            let is = is.map(|(identity, selector)| {
                binding(&key, &format!("i{identity}"), &format!("s{selector}"))
            });
            index.set_binding(&key, is);
        }
        Change::Identity(number, is) => {
            let key = key("i", number);
            index.set_identity(&key, is.map(|client| identity(&key, &format!("c{client}"))));
        }
        Change::Exception(number, is) => {
            let key = key("e", number);
            index.set_exception(&key, is.then(|| exception(&key)));
        }
        Change::Assigned(number, is) => {
            let key = key("x", number);
            index.set_assigned(&key, is.map(|uid| assigned(&format!("u{uid}"))));
        }
    }
}

/// Everything at once: each change's last word, the pods last.
fn fresh(changes: &[Change]) -> Index<DeriveNames> {
    let mut last: BTreeMap<(usize, usize), &Change> = BTreeMap::new();
    for change in changes {
        let place = match change {
            Change::Node(number, _) => (0, *number),
            Change::Binding(number, _) => (1, *number),
            Change::Identity(number, _) => (2, *number),
            Change::Exception(number, _) => (3, *number),
            Change::Assigned(number, _) => (4, *number),
            Change::Pod(number, _) => (5, *number),
        };
        last.insert(place, change);
    }
    let mut index = Index::new(DeriveNames::default());
    last.into_values()
        .for_each(|change| apply(&mut index, change));
    index
}

fn outputs(index: &Index<DeriveNames>) -> Vec<Option<Names>> {
    (0..6)
        .map(|number| index.output(&key("p", number)).cloned())
        .collect()
}

proptest! {
    #[test]
    fn step_by_step_comes_to_the_same_as_all_at_once(changes in vec(change(), 0..60)) {
        let mut index = Index::new(DeriveNames::default());
        changes.iter().for_each(|change| apply(&mut index, change));
        let fresh = fresh(&changes);
        prop_assert_eq!(outputs(&index), outputs(&fresh));
        prop_assert_eq!(&index.derive().pods_of_binding, &fresh.derive().pods_of_binding);
    }

    #[test]
    fn whatever_changes_is_said_and_nothing_else(changes in vec(change(), 0..60)) {
        let mut index = Index::new(DeriveNames::default());
        for change in &changes {
            let before = outputs(&index);
            apply(&mut index, change);
            let changed = index.take_changed();
            let own = match change {
                Change::Pod(number, _) => Some(*number),
                _ => None,
            };
            for (number, (before, after)) in before.iter().zip(outputs(&index)).enumerate() {
                let said = changed.contains(&key("p", number));
                if *before != after {
                    prop_assert!(said, "pod {} after {:?}", number, change);
                } else if own != Some(number) {
                    prop_assert!(!said, "pod {} after {:?}", number, change);
                }
            }
            apply(&mut index, change);
            prop_assert!(index.take_changed().is_empty(), "the same again");
        }
    }

    #[test]
    fn when_everything_is_gone_nothing_is_kept(changes in vec(change(), 0..40)) {
        let mut index = Index::new(DeriveNames::default());
        changes.iter().for_each(|change| apply(&mut index, change));
        for number in 0..6 {
            apply(&mut index, &Change::Pod(number, None));
            apply(&mut index, &Change::Node(number, None));
            apply(&mut index, &Change::Binding(number, None));
            apply(&mut index, &Change::Identity(number, None));
            apply(&mut index, &Change::Exception(number, false));
            apply(&mut index, &Change::Assigned(number, None));
        }
        index.take_changed();
        index.take_visited();
        let empty = Index::new(DeriveNames::default());
        prop_assert_eq!(format!("{index:?}"), format!("{empty:?}"));
    }
}

/// As many pods, bindings and identities; ten pods on each node and in each namespace.
fn cluster(size: usize) -> Index<DeriveNames> {
    let mut index = Index::new(DeriveNames::default());
    for number in 0..size {
        let of =
            |kind: &str| ObjectKey::new(format!("ns{}", number / 10), format!("{kind}{number}"));
        let (node, selector) = (format!("n{}", number / 10), format!("s{number}"));
        let key = of("p");
        index.set_node(&node, Some(target(true)));
        index.set_binding(&of("b"), Some(binding(&of("b"), &of("i").name, &selector)));
        index.set_identity(&of("i"), Some(identity(&of("i"), "c")));
        index.set_pod(
            &key,
            Some(pod(&key, &format!("u{number}"), &selector, &node)),
        );
        index.set_assigned(&of("x"), Some(assigned(&format!("u{number}"))));
    }
    index
}

/// The objects that each kind of change looks at, by name of the change.
fn work(size: usize) -> Vec<(&'static str, usize)> {
    let mut index = cluster(size);
    index.take_visited();
    let of = |kind: &str| ObjectKey::new("ns3", format!("{kind}33"));
    type Step = fn(&mut Index<DeriveNames>, &dyn Fn(&str) -> ObjectKey);
    let steps: [(&str, Step); 11] = [
        ("node changes", |index, _| {
            index.set_node("n3", Some(target(false)))
        }),
        ("node goes", |index, _| index.set_node("n3", None)),
        ("identity changes", |index, of| {
            index.set_identity(&of("i"), Some(identity(&of("i"), "other")));
        }),
        ("identity goes", |index, of| {
            index.set_identity(&of("i"), None)
        }),
        ("binding changes", |index, of| {
            index.set_binding(&of("b"), Some(binding(&of("b"), "i34", "s33")));
        }),
        ("binding goes", |index, of| {
            index.set_binding(&of("b"), None)
        }),
        ("exception comes", |index, of| {
            index.set_exception(&of("e"), Some(exception(&of("e"))));
        }),
        ("assigned goes", |index, of| {
            index.set_assigned(&of("x"), None)
        }),
        ("assigned comes", |index, of| {
            index.set_assigned(&of("x"), Some(assigned("u33")));
        }),
        ("pod changes", |index, of| {
            index.set_pod(&of("p"), Some(pod(&of("p"), "new", "s33", "n3")));
        }),
        ("derived again", |index, of| index.rederive_naming(&of("i"))),
    ];
    let visited = steps.map(|(name, step)| {
        step(&mut index, &of);
        (name, index.take_visited())
    });
    visited.to_vec()
}

#[test]
fn work_per_change_does_not_grow_with_the_cluster() {
    let small = work(100);
    assert_eq!(small, work(20_000));
    for (change, visited) in small {
        assert!(visited <= 60, "{change}: {visited}");
    }
}
