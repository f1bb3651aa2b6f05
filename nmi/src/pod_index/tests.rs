use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentState;
use podid_core::binding::{AzureIdentityType, Pod};
use podid_core::net_raw::NetRaw;
use podid_core::owner::Origin;
use podid_core::resolve::CallingPod;

use super::*;

fn assigned(pod_uid: &str, state: AssignmentState) -> AssignedIdentity {
    AssignedIdentity {
        pod_uid: pod_uid.into(),
        node: "n".into(),
        identity: ("ns".into(), "i".into()),
        resource_id: None,
        client_id: String::new(),
        binding: (String::new(), String::new()),
        state,
    }
}

fn apply(index: &mut PodIndex, object: Option<AssignedIdentity>, now: Instant) {
    let update = Update::Object(ObjectKey::new("ns", "assigned"), object);
    index.apply(ObjectUpdate::Assigned(update), now);
}

fn since(index: &PodIndex) -> Option<Instant> {
    let key = ObjectKey::new("ns", "assigned");
    index.index.derive().since(&key)
}

#[test]
fn an_assignment_is_dated_when_it_is_first_seen_to_be_done() {
    let mut index = PodIndex::new(ServingRules::default());
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let made = |uid| Some(assigned(uid, AssignmentState::Assigned));
    let on_its_way = Some(assigned("u", AssignmentState::Created));

    apply(&mut index, on_its_way.clone(), at(0));
    assert_eq!(since(&index), None);
    apply(&mut index, made("u"), at(10));
    apply(&mut index, made("u"), at(20));
    assert_eq!(since(&index), Some(at(10)));

    apply(&mut index, on_its_way, at(30));
    assert_eq!(since(&index), None);
    apply(&mut index, made("u"), at(40));
    assert_eq!(since(&index), Some(at(40)), "it was put there again");
    apply(&mut index, made("another pod"), at(50));
    assert_eq!(since(&index), Some(at(50)));
    apply(&mut index, None, at(60));
    assert_eq!(since(&index), None);
}

fn key(kind: &str, number: usize) -> ObjectKey {
    ObjectKey::new(format!("ns{}", number / 10), format!("{kind}{number}"))
}

fn pod(number: usize, uid: &str, addresses: &[Ipv4Addr]) -> NodePod {
    let key = key("p", number);
    NodePod {
        caller: CallingPod {
            pod: Pod {
                namespace: key.namespace,
                name: key.name,
                uid: uid.into(),
                selector: Some(format!("s{number}")),
                service_account: "default".into(),
                breaches: [].into(),
                unserved: None,
            },
            labels: BTreeMap::new(),
            completed: false,
        },
        addresses: addresses.to_vec(),
    }
}

fn identity(number: usize, client_id: &str, origin: Origin) -> IndexedAzureIdentity {
    let key = key("i", number);
    let identity = AzureIdentity {
        namespace: key.namespace,
        name: key.name,
        kind: AzureIdentityType::Managed,
        client_id: client_id.into(),
        resource_id: ArmId::new("/id"),
        principal_id: None,
        namespaced: false,
        origin,
        net_raw: NetRaw::Ignore,
        class: None,
    };
    IndexedAzureIdentity {
        identity,
        former: BTreeSet::new(),
    }
}

fn binding(number: usize) -> Binding {
    let key = key("b", number);
    Binding {
        namespace: key.namespace,
        name: key.name,
        identity: format!("i{number}"),
        selector: format!("s{number}"),
        service_accounts: [].into(),
        origin: Origin::Profile,
    }
}

#[test]
fn a_pod_made_anew_under_its_name_is_attested_anew() {
    let address = Ipv4Addr::new(10, 0, 0, 2);
    let mut index = PodIndex::new(ServingRules::default());
    let mut set = |pod: Option<NodePod>| {
        let update = ObjectUpdate::Pod(Update::Object(key("p", 1), pod));
        index.apply(update, Instant::now())
    };
    let made = |uid: &str| {
        ClaimChange::Made(Claim {
            uid: uid.into(),
            addresses: vec![address],
        })
    };
    assert_eq!(set(Some(pod(1, "u1", &[]))), [], "no address yet");
    assert_eq!(set(Some(pod(1, "u1", &[address]))), [made("u1")]);
    assert_eq!(set(Some(pod(1, "u1", &[address]))), [], "nothing new");
    let withdrawn = |uid: &str| ClaimChange::Withdrawn(uid.into());
    let anew = set(Some(pod(1, "u2", &[address])));
    assert_eq!(anew, [withdrawn("u1"), made("u2")]);
    let mut ended = pod(1, "u2", &[address]);
    ended.caller.completed = true;
    assert_eq!(set(Some(ended)), [withdrawn("u2")]);
    assert_eq!(set(None), []);
}

#[test]
fn the_client_ids_of_profiles_follow_their_identities() {
    let mut index = PodIndex::new(ServingRules::default());
    let ids = index.index.derive().of_profiles.clone();
    let mut set = |number, identity| {
        let update = Update::Object(key("i", number), identity);
        index.apply(ObjectUpdate::Identity(update), Instant::now());
    };
    let by_profile = |number, id: &str| Some(identity(number, id, Origin::Profile));
    set(1, by_profile(1, "One"));
    set(2, by_profile(2, "one"));
    set(3, Some(identity(3, "three", Origin::HandWritten)));
    assert!(ids.contains("ONE") && !ids.contains("three"));
    set(1, None);
    assert!(ids.contains("one"), "another has it too");
    set(2, by_profile(2, "two"));
    assert!(ids.contains("two") && !ids.contains("one"));
}

#[test]
fn a_former_identity_is_its_profiles_for_as_long_as_the_profile_names_it() {
    let mut index = PodIndex::new(ServingRules::default());
    let ids = index.index.derive().of_profiles.clone();
    let mut set = |identity| {
        let update = Update::Object(key("i", 1), Some(identity));
        index.apply(ObjectUpdate::Identity(update), Instant::now());
    };
    let replaced = |origin| IndexedAzureIdentity {
        former: ["Old".to_owned(), "older".to_owned()].into(),
        ..identity(1, "new", origin)
    };
    set(identity(1, "old", Origin::Profile));
    for _ in 0..2 {
        set(replaced(Origin::Profile));
        assert!(["new", "old", "older"].iter().all(|id| ids.contains(id)));
    }
    set(identity(1, "new", Origin::Profile));
    assert!(ids.contains("new") && !ids.contains("old") && !ids.contains("older"));
    set(replaced(Origin::HandWritten));
    assert!(
        !ids.contains("new") && !ids.contains("old"),
        "nobody's profile"
    );
}

#[test]
fn everything_is_known_once_every_kind_was_listed() {
    let mut index = PodIndex::new(ServingRules::default());
    let all = [
        ObjectUpdate::Pod(Update::Listed),
        ObjectUpdate::Identity(Update::Listed),
        ObjectUpdate::Binding(Update::Listed),
        ObjectUpdate::Exception(Update::Listed),
        ObjectUpdate::Assigned(Update::Listed),
    ];
    for update in all {
        assert!(!index.is_complete(), "{update:?} is missing");
        index.apply(update, Instant::now());
    }
    assert!(index.is_complete());
}

/// An object that each kind of change is about, in a cluster of so many pods, bindings and identities.
fn updates(number: usize) -> [(&'static str, ObjectUpdate); 5] {
    let exception = Exception {
        namespace: key("e", number).namespace,
        name: key("e", number).name,
        labels: BTreeMap::new(),
    };
    let uid = format!("u{number}");
    let object = |kind| key(kind, number);
    let made = assigned(&uid, AssignmentState::Assigned);
    [
        (
            "binding",
            ObjectUpdate::Binding(Update::Object(object("b"), Some(binding(number)))),
        ),
        (
            "identity",
            ObjectUpdate::Identity(Update::Object(
                object("i"),
                Some(identity(number, "c", Origin::Profile)),
            )),
        ),
        (
            "exception",
            ObjectUpdate::Exception(Update::Object(object("e"), Some(exception))),
        ),
        (
            "assigned",
            ObjectUpdate::Assigned(Update::Object(object("x"), Some(made))),
        ),
        (
            "pod",
            ObjectUpdate::Pod(Update::Object(object("p"), Some(pod(number, &uid, &[])))),
        ),
    ]
}

/// What one more object of each kind costs, by kind, in objects looked at.
fn work(size: usize) -> Vec<(&'static str, usize)> {
    let mut index = PodIndex::new(ServingRules::default());
    for number in 0..size {
        for (_, update) in updates(number) {
            index.apply(update, Instant::now());
        }
    }
    let gone = |update: ObjectUpdate| match update {
        ObjectUpdate::Pod(Update::Object(key, _)) => ObjectUpdate::Pod(Update::Object(key, None)),
        ObjectUpdate::Identity(Update::Object(key, _)) => {
            ObjectUpdate::Identity(Update::Object(key, None))
        }
        ObjectUpdate::Binding(Update::Object(key, _)) => {
            ObjectUpdate::Binding(Update::Object(key, None))
        }
        ObjectUpdate::Exception(Update::Object(key, _)) => {
            ObjectUpdate::Exception(Update::Object(key, None))
        }
        ObjectUpdate::Assigned(Update::Object(key, _)) => {
            ObjectUpdate::Assigned(Update::Object(key, None))
        }
        listed => listed,
    };
    index.index.take_visited();
    let mut cost = |kind, update| {
        index.apply(update, Instant::now());
        (kind, index.index.take_visited())
    };
    // Each goes and comes back, the pod last to go.
    let going = updates(33).map(|(kind, update)| cost(kind, gone(update)));
    let coming = updates(33).map(|(kind, update)| cost(kind, update));
    let mut all = going.to_vec();
    all.extend(coming);
    all
}

#[test]
fn work_per_change_does_not_grow_with_the_cluster() {
    let small = work(100);
    assert_eq!(small, work(20_000));
    let all: usize = small.iter().map(|(_, visited)| visited).sum();
    assert!(all > 0, "it counts");
}
