//! A node that aad-pod-identity's NMI still serves, as docs/migrate.md has podid installed beside it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread;

use nlink::netlink::nftables::config::NftablesConfig;
use nlink::netlink::nftables::{
    BaseChain, Family, Field, Match, NatHook, NatStatement, Priority, RuleSpec, Stmt, Value,
};
use nlink::netlink::{Connection, Nftables};
use podid_lab::net::in_namespace;
use podid_tests::node::{
    ApiServer, Daemon, Imds, TestNode, assigned, azure_identity, binding, wait_until,
};

use crate::scene::{NETWORKS, nmi};

/// Where NMI listens since its version 1.6.2.
const NMI: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 2579);
const NMI_TOKEN: &str = "token-of-nmi";

/// NMI's answers and its rule, which are those of iptables' table `nat`.
struct Predecessor<'a>(&'a TestNode);

impl<'a> Predecessor<'a> {
    fn start(test_node: &'a TestNode) -> Self {
        let listener = test_node.listen(NMI).unwrap();
        listener.set_nonblocking(false).unwrap();
        thread::spawn(move || serve(&listener));
        // As kube-proxy sets it: NMI's rule leads to the loopback.
        let set = in_namespace(test_node.namespace(), || {
            fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1")
        });
        set.unwrap().unwrap();
        let predecessor = Self(test_node);
        predecessor.write_rules();
        predecessor
    }

    fn write_rules(&self) {
        let to_nmi = RuleSpec::new()
            .then(Match::eq(
                Field::Ip4Daddr,
                Value::Addr(podid_netfilter::IMDS.into()),
            ))
            .then(Match::eq(Field::TcpDport, 80_u16))
            .then(Stmt::Nat(NatStatement::dnat(NMI.0).port(NMI.1)));
        let rules = NftablesConfig::new().table("nat", Family::Ip, |table| {
            let base = BaseChain::nat(NatHook::Prerouting, Priority::Custom(-100));
            table
                .chain("PREROUTING", |chain| chain.base(base))
                .push_rule("PREROUTING", to_nmi)
        });
        self.0.block_on(async {
            let kernel = Connection::<Nftables>::new_in(self.0.namespace()).unwrap();
            rules
                .diff(&kernel)
                .await
                .unwrap()
                .apply(&kernel)
                .await
                .unwrap();
        });
    }

    /// What NMI does when it is told to end.
    fn remove_rules(&self) {
        self.0.block_on(async {
            let kernel = Connection::<Nftables>::new_in(self.0.namespace()).unwrap();
            kernel.del_table("nat", Family::Ip).await.unwrap();
        });
    }
}

/// Answers every request with a token of NMI's.
fn serve(listener: &TcpListener) {
    let body = format!("{{\"access_token\":\"{NMI_TOKEN}\"}}");
    let length = body.len();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
    }
}

#[test]
fn pods_pass_from_nmi_to_podid_and_back_and_never_reach_the_node() {
    for network in NETWORKS {
        let test_node = TestNode::start(network).unwrap();
        let imds = Imds::start(&test_node).unwrap();
        let pod = test_node.add_pod().unwrap();
        let predecessor = Predecessor::start(&test_node);
        assert_eq!(
            pod.ask().token(),
            Some(NMI_TOKEN),
            "{network:?}: before podid"
        );

        let api = ApiServer::start(&test_node).unwrap();
        let daemon = Daemon::start(&nmi(), &test_node, &api, &[]).unwrap();
        api.put(&azure_identity("one"));
        api.put(&binding("one", "one"));
        api.put(&assigned("one", &pod.uid, "one", "Assigned"));
        api.put(&pod.running("one", "one"));
        let stranger = test_node.add_pod().unwrap();
        api.put(&stranger.running("stranger", "nobody"));
        wait_until("both pods are proved", || {
            daemon.metric("podid_nmi_pods_attested") == Some(2)
        });
        for state in ["beside NMI", "without NMI"] {
            let (own, none) = (pod.ask(), stranger.ask());
            assert_eq!(
                own.token(),
                Some("token-of-client-one"),
                "{network:?}: {state}"
            );
            assert_eq!(
                (none.status, none.token()),
                (400, None),
                "{network:?}: {state}"
            );
            if state == "beside NMI" {
                predecessor.remove_rules();
            }
        }

        // The way back: NMI runs again before podid's rules go.
        predecessor.write_rules();
        drop(daemon);
        let uninstalled = in_namespace(test_node.namespace(), || {
            Command::new(nmi()).arg("uninstall").status()
        });
        assert!(uninstalled.unwrap().unwrap().success());
        assert_eq!(
            pod.ask().token(),
            Some(NMI_TOKEN),
            "{network:?}: after podid"
        );
        // Once, by podid: what it answered second was kept, and nobody else has asked.
        assert_eq!(imds.client_ids(), ["client-one"], "{network:?}");
    }
}
