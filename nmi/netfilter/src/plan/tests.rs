use std::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::AllowedPort;

const POD: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);

fn plan(sources: &[AllowedSource]) -> RulesPlan {
    let node = Ipv4Addr::new(10, 200, 0, 10);
    RulesPlan {
        listeners: Listeners {
            attested: SocketAddrV4::new(node, 2579),
            unattested: SocketAddrV4::new(node, 2580),
        },
        generation: 1,
        sources: sources.iter().copied().collect(),
    }
}

fn on_bridge() -> AllowedSource {
    let port = AllowedPort {
        interface: 7,
        mac: [2, 0, 0, 0, 0, 1],
    };
    AllowedSource {
        interface: 3,
        address: POD,
        port: Some(port),
    }
}

#[test]
fn the_rules_of_a_routed_node() {
    let routed = AllowedSource {
        interface: 7,
        address: POD,
        port: None,
    };
    let text = plan(&[routed]).to_string();
    let inet = text.find("table bridge").map_or("", |end| &text[..end]);
    assert_eq!(
        inet,
        r#"table inet podid {
  set addresses: 1 elements
  set callers: 1 elements
  set generation: 1 elements
  set unattested: 0 elements
  chain divert {
    iifname "lo" return
    ip daddr 169.254.169.254 tcp dport 80 iif . ip saddr @callers dnat ip to 10.200.0.10:2579
    ip daddr 169.254.169.254 tcp dport 80 dnat ip to 10.200.0.10:2580
  }
  chain input {
    iifname "lo" return
    ip daddr 10.200.0.10 tcp dport 2579 ct original ip daddr != 169.254.169.254 counter reject with tcp reset
    ip daddr 10.200.0.10 tcp dport 2579 ct original proto-dst != 80 counter reject with tcp reset
    ip daddr 10.200.0.10 tcp dport 2580 ct original ip daddr != 169.254.169.254 counter reject with tcp reset
    ip daddr 10.200.0.10 tcp dport 2580 ct original proto-dst != 80 counter reject with tcp reset
    ip daddr 10.200.0.10 tcp dport 2579 ct original ip daddr 169.254.169.254 ct original proto-dst 80 iif . ip saddr @callers accept
    ip daddr 10.200.0.10 tcp dport 2579 counter drop
    ip daddr 10.200.0.10 tcp dport 2580 ip saddr @addresses iif . ip saddr != @callers counter drop
    ip daddr 10.200.0.10 tcp dport 2580 ct original ip daddr 169.254.169.254 ct original proto-dst 80 update @unattested { iif . ip saddr . tcp sport } accept
    ip daddr 10.200.0.10 tcp dport 2580 counter drop
    ip daddr 169.254.169.254 counter drop
  }
  chain forward {
    ip daddr 169.254.169.254 counter drop
    ip daddr 168.63.129.16 udp dport 53 accept
    ip daddr 168.63.129.16 tcp dport 53 accept
    ip daddr 168.63.129.16 ct direction reply accept
    ip daddr 168.63.129.16 counter drop
  }
  chain output {
    ip saddr 10.200.0.10 tcp sport 2579 ct original ip daddr 169.254.169.254 ct original proto-dst 80 tcp flags == rst | ack tcp sequence 0 counter drop
    ip saddr 10.200.0.10 tcp sport 2580 ct original ip daddr 169.254.169.254 ct original proto-dst 80 tcp flags == rst | ack tcp sequence 0 counter drop
  }
}
"#
    );
}

#[test]
fn a_pod_on_a_bridge_is_guarded_at_its_port_too() {
    let text = plan(&[on_bridge()]).to_string();
    let (_, bridge) = text
        .split_once("table bridge podid")
        .expect("a bridge table");
    for set in ["addresses", "callers", "macs", "owners", "ports"] {
        assert!(
            bridge.contains(&format!("set {set}: 1 elements")),
            "{bridge}"
        );
    }
    assert!(
        bridge.contains("ip daddr 169.254.169.254 counter drop"),
        "{bridge}"
    );
}

#[test]
fn before_any_pod_is_attested_a_bridge_is_closed_too() {
    let text = plan(&[]).to_string();
    let (_, forward) = text
        .split_once("table bridge podid")
        .and_then(|(_, bridge)| bridge.split_once("chain forward"))
        .expect("a bridge table with a forward chain");
    assert_eq!(
        forward,
        r#" {
    ip daddr 169.254.169.254 counter drop
    ip daddr 168.63.129.16 udp dport 53 accept
    ip daddr 168.63.129.16 tcp dport 53 accept
    ip daddr 168.63.129.16 tcp flags ack accept
    ip daddr 168.63.129.16 counter drop
  }
}
"#
    );
}

#[test]
fn every_plan_is_one_the_kernel_library_takes() {
    for sources in [&[][..], &[on_bridge()]] {
        plan(sources)
            .config(&BridgeAddresses::default())
            .validate()
            .unwrap();
    }
}
