//! What a daemon does with the endpoints that an earlier one has left in the kernel.

use super::*;
use crate::attest::BridgePort;

/// A daemon that has started where another had attested A behind link 7 and B behind link 8.
fn after_a_restart() -> Attestations {
    Attestations::inheriting([routed(7, A), routed(8, B)].into())
}

fn look(attestations: &mut Attestations, kernel: &KernelFacts) {
    let now = now();
    let due = attestations.take_due(now);
    attestations.on_look(&due, kernel, now);
}

#[test]
fn what_was_inherited_is_allowed_and_serves_nobody() {
    let attestations = after_a_restart();
    assert_eq!(attestations.allowed(), [routed(7, A), routed(8, B)].into());
    assert!(attestations.attested().is_empty());
}

#[test]
fn what_was_inherited_stays_until_its_pod_is_decided() {
    let mut attestations = after_a_restart();
    attestations.claim(claim("u", A), now());
    let mut kernel = seen(&[("w", 7, A), ("x", 8, B)]);
    kernel.pods.clear();
    look(&mut attestations, &kernel);
    assert_eq!(
        attestations.allowed(),
        [routed(7, A), routed(8, B)].into(),
        "the pod shows nothing yet"
    );
    attestations.claim(claim("u", A), now());
    look(&mut attestations, &seen(&[("u", 7, A), ("x", 8, B)]));
    assert_eq!(attestations.allowed(), [routed(7, A), routed(8, B)].into());
    assert_eq!(
        attestations.attested().keys().copied().collect::<Vec<_>>(),
        ["u"]
    );
}

#[test]
fn a_pod_that_has_moved_takes_the_place_of_what_was_inherited() {
    let mut attestations = after_a_restart();
    attestations.claim(claim("u", A), now());
    look(
        &mut attestations,
        &seen(&[("u", 9, A), ("x", 7, A), ("y", 8, B)]),
    );
    assert_eq!(attestations.allowed(), [routed(9, A), routed(8, B)].into());
}

#[test]
fn a_pod_that_is_refused_loses_what_was_inherited() {
    let mut attestations = after_a_restart();
    attestations.claim(claim("u", A), now());
    look(&mut attestations, &seen(&[("u", 7, B), ("x", 8, B)]));
    assert_eq!(attestations.allowed(), [routed(8, B)].into());
}

#[test]
fn what_was_inherited_goes_with_its_link() {
    let mut attestations = after_a_restart();
    attestations.claim(claim("u", A), now());
    look(&mut attestations, &seen(&[("u", 7, A)]));
    assert_eq!(attestations.allowed(), [routed(7, A)].into());
}

#[test]
fn what_no_pod_claims_goes_when_all_pods_are_known() {
    let mut attestations = after_a_restart();
    attestations.claim(claim("u", A), now());
    attestations.release_unclaimed();
    assert_eq!(attestations.allowed(), [routed(7, A)].into());
}

#[test]
fn what_was_inherited_goes_when_its_link_is_announced_as_gone() {
    let mut attestations = after_a_restart();
    attestations.on_link_change(&LinkChange::Changed(7, None), now());
    assert_eq!(attestations.allowed(), [routed(8, B)].into());
}

#[test]
fn a_mac_that_was_inherited_is_not_accepted_behind_another_port() {
    let bridge_port = |interface| {
        Some(BridgePort {
            interface,
            mac: Mac([2; 6]),
        })
    };
    let inherited = PodEndpoint {
        bridge_port: bridge_port(7),
        ..routed(3, A)
    };
    let mut attestations = Attestations::inheriting([inherited].into());
    attestations.claim(claim("thief", B), now());
    let mut kernel = seen(&[("thief", 3, B), ("x", 7, A), ("y", 8, B)]);
    kernel.pods.get_mut("thief").expect("seen")[0].bridge_port = bridge_port(8);
    look(&mut attestations, &kernel);
    assert!(attestations.attested().is_empty());
}

#[test]
fn what_an_earlier_daemon_added_meanwhile_is_inherited_too_but_for_decided_pods() {
    let mut attestations = looked_at(&[("u", A)], &[("u", 7, A)]);
    attestations.claim(claim("v", B), now());
    assert!(!attestations.are_all_checked());
    attestations.inherit([routed(9, A), routed(8, B)].into());
    assert_eq!(attestations.allowed(), [routed(7, A), routed(8, B)].into());
    let kernel = seen(&[("u", 7, A), ("v", 6, B), ("x", 8, A)]);
    look(&mut attestations, &kernel);
    assert!(attestations.are_all_checked());
    assert_eq!(attestations.allowed(), [routed(7, A), routed(6, B)].into());
}

#[test]
fn a_mac_that_an_earlier_daemon_recorded_meanwhile_counts() {
    let on_bridge = |mac| PodEndpoint {
        bridge_port: Some(BridgePort {
            interface: 7,
            mac: Mac([2, 0, 0, 0, 0, mac]),
        }),
        ..routed(3, A)
    };
    let mut attestations = Attestations::default();
    attestations.inherit([on_bridge(1)].into());
    attestations.inherit([on_bridge(2)].into());
    attestations.claim(claim("u", A), now());
    let mut kernel = seen(&[("x", 3, B), ("u", 7, A)]);
    let link = &mut kernel.pods.get_mut("u").unwrap()[0];
    (link.interface, link.bridge_port) = (3, on_bridge(2).bridge_port);
    look(&mut attestations, &kernel);
    assert!(attestations.attested().is_empty(), "the first one counts");
}
