use super::standing::{LINK_WAIT, PROVED_PAUSE};
use super::*;
use crate::attest::{Attachment, NodeLink, Peer};

const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);

fn claim(uid: &str, address: Ipv4Addr) -> Claim {
    Claim {
        uid: uid.into(),
        addresses: vec![address],
    }
}

/// Pods, each behind a link of its own, which are all the links that the node has.
fn seen(pods: &[(&str, u32, Ipv4Addr)]) -> Seen {
    let one = |interface, address| {
        vec![Attachment {
            interface,
            port: None,
            addresses: vec![address],
        }]
    };
    Seen {
        pods: pods
            .iter()
            .map(|(uid, interface, a)| ((*uid).to_owned(), one(*interface, *a)))
            .collect(),
        node: pods
            .iter()
            .map(|(_, link, _)| (*link, NodeLink::default()))
            .collect(),
    }
}

fn judged(claims: &[(&str, Ipv4Addr)], kernel: &[(&str, u32, Ipv4Addr)]) -> Proofs {
    let now = Instant::now();
    let mut proofs = Proofs::default();
    for (uid, address) in claims {
        proofs.claim(claim(uid, *address), now);
    }
    let due = proofs.take_due(now);
    proofs.judge(&due, &seen(kernel), now);
    proofs
}

#[test]
fn a_pod_is_proved_when_the_facts_agree() {
    let proofs = judged(&[("u", A)], &[("u", 7, A)]);
    assert_eq!(proofs.proved()["u"][0].interface, 7);
}

#[test]
fn a_proved_pod_whose_sandbox_is_made_anew_is_found_behind_its_new_interface() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let again = proofs.next_due().expect("a look again");
    let due = proofs.take_due(again);
    assert_eq!(due, ["u"]);
    assert_eq!(proofs.judge(&due, &seen(&[("u", 8, A)]), again), []);
    assert_eq!(proofs.proved()["u"][0].interface, 8);
}

#[test]
fn one_look_serves_all_proved_pods_that_are_due_soon() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let first = proofs.next_due().expect("a look again");
    let later = first - PROVED_PAUSE + Duration::from_secs(1);
    proofs.claim(claim("v", B), later);
    assert_eq!(proofs.take_due(later), ["v"], "too early for the first");
    let kernel = seen(&[("u", 7, A), ("v", 8, B)]);
    proofs.judge(&["v".to_owned()], &kernel, later);
    assert_eq!(proofs.take_due(first), ["u", "v"]);
}

#[test]
fn two_pods_with_one_address_are_both_refused() {
    let proofs = judged(
        &[("u", A), ("v", A), ("w", B)],
        &[("u", 7, A), ("v", 8, A), ("w", 9, B)],
    );
    assert_eq!(proofs.proved().keys().copied().collect::<Vec<_>>(), ["w"]);
}

#[test]
fn an_address_is_free_for_another_pod_once_the_link_is_gone() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let now = Instant::now();
    proofs.claim(claim("v", A), now);
    assert_eq!(proofs.take_due(now), ["v"]);
    proofs.judge(&["v".to_owned()], &seen(&[("v", 8, A)]), now);
    assert_eq!(proofs.proved().keys().copied().collect::<Vec<_>>(), ["v"]);
    assert_eq!(
        proofs.take_due(now),
        ["u"],
        "and the first is looked at again"
    );
}

#[test]
fn a_new_address_must_be_proved_anew() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    proofs.claim(claim("u", B), Instant::now());
    assert!(proofs.proved().is_empty());
}

#[test]
fn a_disagreement_is_told_once_and_looked_at_with_growing_pauses() {
    let now = Instant::now();
    let mut proofs = Proofs::default();
    proofs.claim(claim("u", A), now);
    let due = proofs.take_due(now);
    assert_eq!(proofs.judge(&due, &seen(&[("u", 7, B)]), now).len(), 1);
    let first = proofs.next_due().unwrap();
    let due = proofs.take_due(first);
    assert_eq!(proofs.judge(&due, &seen(&[("u", 7, B)]), first), []);
    assert!(proofs.next_due().unwrap() - first > first - now);
}

#[test]
fn what_was_proved_stands_while_the_kernel_cannot_be_asked() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    proofs.postpone(&["u".to_owned()], Instant::now());
    assert_eq!(proofs.proved().len(), 1);
    assert!(proofs.next_due().is_some());
}

#[test]
fn a_starting_pod_is_nobodys_news() {
    let now = Instant::now();
    let mut proofs = Proofs::default();
    proofs.claim(claim("u", A), now);
    let due = proofs.take_due(now);
    assert_eq!(proofs.judge(&due, &seen(&[]), now), []);
    assert!(proofs.next_due().is_some(), "but it is looked at again");
}

#[test]
fn a_pod_that_stays_without_a_link_is_told_once() {
    let now = Instant::now();
    let mut proofs = Proofs::default();
    proofs.claim(claim("u", A), now);
    let mut kernel = seen(&[]);
    kernel.pods.insert("u".to_owned(), Vec::new());
    let uids = ["u".to_owned()];
    let mut told = Vec::new();
    for seconds in 0..200 {
        let at = now + Duration::from_secs(seconds);
        let news = proofs.judge(&uids, &kernel, at);
        told.extend(news.into_iter().map(|(_, what)| (seconds, what)));
    }
    assert_eq!(told, [(LINK_WAIT.as_secs(), Disagreement::NoLink)]);
}

/// Another end than the one that pods have in these tests.
fn replaced() -> NodeLink {
    let peer = Some(Peer {
        index: 2,
        namespace: 5,
    });
    NodeLink {
        peer,
        ..NodeLink::default()
    }
}

#[test]
fn news_of_its_link_end_a_proof_at_once() {
    let on_a_bridge = NodeLink {
        bridge: Some(3),
        ..NodeLink::default()
    };
    let mac_only = NodeLink {
        mac: Some([2; 6]),
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
        let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
        let now = Instant::now();
        proofs.hear(&LinkNews::Changed(index, link.clone()), now);
        assert_eq!(proofs.proved().len(), usize::from(holds), "{link:?}");
        assert_eq!(proofs.wanted().len(), usize::from(holds), "{link:?}");
        assert_eq!(proofs.take_due(now).is_empty(), holds, "{link:?}");
    }
}

#[test]
fn lost_news_bring_a_look_at_everybody() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let now = Instant::now();
    proofs.hear(&LinkNews::Lost, now);
    assert_eq!(proofs.proved().len(), 1);
    assert_eq!(proofs.take_due(now), ["u"]);
}

#[test]
fn a_look_for_others_shows_that_a_link_was_replaced() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let now = Instant::now();
    proofs.claim(claim("v", B), now);
    let mut kernel = seen(&[("u", 7, A), ("v", 8, B)]);
    kernel.node.insert(7, replaced());
    proofs.judge(&["v".to_owned()], &kernel, now);
    assert_eq!(proofs.proved().keys().copied().collect::<Vec<_>>(), ["v"]);
}

#[test]
fn a_proof_remembers_its_link() {
    let proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let link = proofs.proved_link("u", &routed(7, A));
    let was = NodeLink::default();
    assert_eq!(link, Some(ProvedLink { index: 7, was }));
    assert_eq!(proofs.proved_link("u", &routed(8, A)), None);
    assert_eq!(proofs.proved_link("v", &routed(7, A)), None);
}

#[test]
fn calls_bring_a_look_forward_but_not_too_often() {
    let mut proofs = judged(&[("u", A)], &[("u", 7, A)]);
    let now = Instant::now();
    let planned = proofs.next_due();
    proofs.called(A, now);
    assert_eq!(proofs.next_due(), planned, "just looked");
    proofs.called(A, now + CALL_PAUSE * 2);
    assert_eq!(proofs.next_due(), Some(now + CALL_PAUSE * 2));
}

fn routed(interface: u32, address: Ipv4Addr) -> Caller {
    Caller {
        interface,
        address,
        port: None,
    }
}

/// A daemon that has started where another had proved A behind link 7 and B behind link 8.
fn after_a_restart() -> Proofs {
    Proofs::inheriting([routed(7, A), routed(8, B)].into())
}

fn look(proofs: &mut Proofs, kernel: &Seen) {
    let now = Instant::now();
    let due = proofs.take_due(now);
    proofs.judge(&due, kernel, now);
}

#[test]
fn what_was_inherited_is_wanted_and_serves_nobody() {
    let proofs = after_a_restart();
    assert_eq!(proofs.wanted(), [routed(7, A), routed(8, B)].into());
    assert!(proofs.proved().is_empty());
}

#[test]
fn what_was_inherited_stays_until_its_pod_is_judged() {
    let mut proofs = after_a_restart();
    proofs.claim(claim("u", A), Instant::now());
    let mut kernel = seen(&[("w", 7, A), ("x", 8, B)]);
    kernel.pods.clear();
    look(&mut proofs, &kernel);
    assert_eq!(
        proofs.wanted(),
        [routed(7, A), routed(8, B)].into(),
        "the pod shows nothing yet"
    );
    proofs.claim(claim("u", A), Instant::now());
    look(&mut proofs, &seen(&[("u", 7, A), ("x", 8, B)]));
    assert_eq!(proofs.wanted(), [routed(7, A), routed(8, B)].into());
    assert_eq!(proofs.proved().keys().copied().collect::<Vec<_>>(), ["u"]);
}

#[test]
fn a_pod_that_has_moved_takes_the_place_of_what_was_inherited() {
    let mut proofs = after_a_restart();
    proofs.claim(claim("u", A), Instant::now());
    look(&mut proofs, &seen(&[("u", 9, A), ("x", 7, A), ("y", 8, B)]));
    assert_eq!(proofs.wanted(), [routed(9, A), routed(8, B)].into());
}

#[test]
fn a_pod_that_is_not_believed_loses_what_was_inherited() {
    let mut proofs = after_a_restart();
    proofs.claim(claim("u", A), Instant::now());
    look(&mut proofs, &seen(&[("u", 7, B), ("x", 8, B)]));
    assert_eq!(proofs.wanted(), [routed(8, B)].into());
}

#[test]
fn what_was_inherited_goes_with_its_link() {
    let mut proofs = after_a_restart();
    proofs.claim(claim("u", A), Instant::now());
    look(&mut proofs, &seen(&[("u", 7, A)]));
    assert_eq!(proofs.wanted(), [routed(7, A)].into());
}

#[test]
fn what_nobody_claims_goes_when_all_pods_are_known() {
    let mut proofs = after_a_restart();
    proofs.claim(claim("u", A), Instant::now());
    proofs.release_unclaimed();
    assert_eq!(proofs.wanted(), [routed(7, A)].into());
}
