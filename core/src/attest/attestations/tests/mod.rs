mod inherited;

use super::*;
use crate::attest::state::{ATTESTED_PAUSE, LINK_WAIT};
use crate::attest::{LinkPeer, Mac, PodLink};

const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);

/// A moment to count from. The type has no constructor that does not read the clock.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

fn claim(uid: &str, address: Ipv4Addr) -> Claim {
    Claim {
        uid: uid.into(),
        addresses: vec![address],
    }
}

/// Pods, each behind a link of its own, which are all the links that the node has.
fn seen(pods: &[(&str, u32, Ipv4Addr)]) -> KernelFacts {
    let one = |interface, address| {
        vec![PodLink {
            interface,
            bridge_port: None,
            addresses: vec![address],
        }]
    };
    KernelFacts {
        pods: pods
            .iter()
            .map(|(uid, interface, a)| ((*uid).to_owned(), one(*interface, *a)))
            .collect(),
        links: pods
            .iter()
            .map(|(_, link, _)| (*link, NodeLink::default()))
            .collect(),
    }
}

fn looked_at(claims: &[(&str, Ipv4Addr)], kernel: &[(&str, u32, Ipv4Addr)]) -> Attestations {
    let now = now();
    let mut attestations = Attestations::default();
    for (uid, address) in claims {
        attestations.claim(claim(uid, *address), now);
    }
    let due = attestations.take_due(now);
    attestations.on_look(&due, &seen(kernel), now);
    attestations
}

#[test]
fn a_pod_is_attested_when_the_facts_agree() {
    let attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    assert_eq!(attestations.attested()["u"][0].interface, 7);
}

#[test]
fn an_attested_pod_whose_sandbox_is_made_anew_is_found_behind_its_new_interface() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let again = attestations.next_due().expect("a look again");
    let due = attestations.take_due(again);
    assert_eq!(due, ["u"]);
    assert_eq!(attestations.on_look(&due, &seen(&[("u", 8, A)]), again), []);
    assert_eq!(attestations.attested()["u"][0].interface, 8);
}

#[test]
fn one_look_serves_all_attested_pods_that_are_due_soon() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let first = attestations.next_due().expect("a look again");
    let later = first - ATTESTED_PAUSE + Duration::from_secs(1);
    attestations.claim(claim("v", B), later);
    assert_eq!(
        attestations.take_due(later),
        ["v"],
        "too early for the first"
    );
    let kernel = seen(&[("u", 7, A), ("v", 8, B)]);
    attestations.on_look(&["v".to_owned()], &kernel, later);
    assert_eq!(attestations.take_due(first), ["u", "v"]);
}

#[test]
fn two_pods_with_one_address_are_both_refused() {
    let attestations = looked_at(
        &[("u", A), ("v", A), ("w", B)],
        &[("u", 7, A), ("v", 8, A), ("w", 9, B)],
    );
    assert_eq!(
        attestations.attested().keys().copied().collect::<Vec<_>>(),
        ["w"]
    );
}

#[test]
fn an_address_is_free_for_another_pod_once_the_link_is_gone() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let now = now();
    attestations.claim(claim("v", A), now);
    assert_eq!(attestations.take_due(now), ["v"]);
    attestations.on_look(&["v".to_owned()], &seen(&[("v", 8, A)]), now);
    assert_eq!(
        attestations.attested().keys().copied().collect::<Vec<_>>(),
        ["v"]
    );
    assert_eq!(
        attestations.take_due(now),
        ["u"],
        "and the first is looked at again"
    );
}

#[test]
fn a_new_address_must_be_proved_anew() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    attestations.claim(claim("u", B), now());
    assert!(attestations.attested().is_empty());
}

#[test]
fn an_error_is_reported_once_and_looked_at_with_growing_pauses() {
    let now = now();
    let mut attestations = Attestations::default();
    attestations.claim(claim("u", A), now);
    let due = attestations.take_due(now);
    assert_eq!(
        attestations.on_look(&due, &seen(&[("u", 7, B)]), now).len(),
        1
    );
    let first = attestations.next_due().unwrap();
    let due = attestations.take_due(first);
    assert_eq!(attestations.on_look(&due, &seen(&[("u", 7, B)]), first), []);
    assert!(attestations.next_due().unwrap() - first > first - now);
}

#[test]
fn an_attestation_stands_while_the_kernel_cannot_be_asked() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let planned = attestations.next_due().expect("a look again");
    let due = attestations.take_due(planned);
    assert_eq!(attestations.next_due(), None, "a look is under way");
    attestations.postpone(&due, planned);
    assert_eq!(attestations.attested().len(), 1);
    assert!(attestations.next_due().is_some());
}

#[test]
fn a_pod_that_is_gone_is_neither_served_nor_looked_at() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    attestations.withdraw("u");
    assert!(attestations.attested().is_empty());
    assert_eq!(attestations.next_due(), None);
}

#[test]
fn a_starting_pod_is_not_reported() {
    let now = now();
    let mut attestations = Attestations::default();
    attestations.claim(claim("u", A), now);
    let due = attestations.take_due(now);
    assert_eq!(attestations.on_look(&due, &seen(&[]), now), []);
    assert!(
        attestations.next_due().is_some(),
        "but it is looked at again"
    );
}

#[test]
fn a_pod_that_stays_without_a_link_is_reported_once() {
    let now = now();
    let mut attestations = Attestations::default();
    attestations.claim(claim("u", A), now);
    let mut kernel = seen(&[]);
    kernel.pods.insert("u".to_owned(), Vec::new());
    let uids = ["u".to_owned()];
    let mut reported = Vec::new();
    for seconds in 0..200 {
        let at = now + Duration::from_secs(seconds);
        let reports = attestations.on_look(&uids, &kernel, at);
        reported.extend(reports.into_iter().map(|(_, what)| (seconds, what)));
    }
    assert_eq!(reported, [(LINK_WAIT.as_secs(), AttestationError::NoLink)]);
}

/// Another end than the one that pods have in these tests.
fn replaced() -> NodeLink {
    let peer = Some(LinkPeer {
        index: 2,
        namespace: 5,
    });
    NodeLink {
        peer,
        ..NodeLink::default()
    }
}

#[test]
fn a_change_of_its_link_ends_an_attestation_at_once() {
    let on_a_bridge = NodeLink {
        bridge: Some(3),
        ..NodeLink::default()
    };
    let mac_only = NodeLink {
        mac: Some(Mac([2; 6])),
        ..NodeLink::default()
    };
    for (index, link, holds) in [
        (7, None, false),
        (7, Some(replaced()), false),
        (7, Some(on_a_bridge), false),
        (7, Some(mac_only), true),
        (7, Some(NodeLink::default()), true),
        (8, None, true),
    ] {
        let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
        let now = now();
        attestations.on_link_change(&LinkChange::Changed(index, link.clone()), now);
        assert_eq!(
            attestations.attested().len(),
            usize::from(holds),
            "{link:?}"
        );
        assert_eq!(attestations.allowed().len(), usize::from(holds), "{link:?}");
        assert_eq!(attestations.take_due(now).is_empty(), holds, "{link:?}");
    }
}

#[test]
fn lost_announcements_bring_a_look_at_every_pod() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let now = now();
    attestations.on_link_change(&LinkChange::Lost, now);
    assert_eq!(attestations.attested().len(), 1);
    assert_eq!(attestations.take_due(now), ["u"]);
}

#[test]
fn a_look_for_others_shows_that_a_link_was_replaced() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let now = now();
    attestations.claim(claim("v", B), now);
    let mut kernel = seen(&[("u", 7, A), ("v", 8, B)]);
    kernel.links.insert(7, replaced());
    attestations.on_look(&["v".to_owned()], &kernel, now);
    assert_eq!(
        attestations.attested().keys().copied().collect::<Vec<_>>(),
        ["v"]
    );
}

#[test]
fn an_attestation_remembers_its_link() {
    let attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let link = attestations.proved_link("u", &routed(7, A));
    let was = NodeLink::default();
    assert_eq!(link, Some(ProvedLink { index: 7, was }));
    assert_eq!(attestations.proved_link("u", &routed(8, A)), None);
    assert_eq!(attestations.proved_link("v", &routed(7, A)), None);
}

#[test]
fn calls_bring_a_look_forward_but_not_too_often() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    let now = now();
    let planned = attestations.next_due();
    attestations.on_call(A, now);
    assert_eq!(attestations.next_due(), planned, "just looked");
    attestations.on_call(A, now + CALL_PAUSE * 2);
    assert_eq!(attestations.next_due(), Some(now + CALL_PAUSE * 2));
}

fn routed(interface: u32, address: Ipv4Addr) -> PodEndpoint {
    PodEndpoint {
        interface,
        address,
        bridge_port: None,
    }
}
