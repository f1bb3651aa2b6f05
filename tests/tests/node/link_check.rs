//! The check of a pod's link before each token, against a kernel in which the link is changed a moment later.
//!
//! When a link is taken, the daemon has several reasons to refuse, which come within milliseconds. Here there is only this one.

use std::path::Path;

use nix::net::if_::if_nametoindex;
use nlink::netlink::{Connection, Route};
use podid_core::attest::{LinkPeer, NodeLink, ProvedLink};
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_nmi::{KernelLinkCheck, LinkCheck};
use podid_tests::node::{Pod, TestNode, wait_until};

/// Numbers of namespaces that are tried; the kernel counts from 0.
const NUMBERS: std::ops::Range<u32> = 0..64;

struct Link<'a> {
    test_node: &'a TestNode,
    check: KernelLinkCheck,
    proved: ProvedLink,
}

impl<'a> Link<'a> {
    /// The link of a pod, and the check in the node's namespace.
    fn of(test_node: &'a TestNode, pod: &Pod) -> Self {
        let node = test_node.namespace();
        let check = in_namespace(node, KernelLinkCheck::here).unwrap().unwrap();
        let index_of = |name: &str| {
            let index = in_namespace(node, || if_nametoindex(name));
            index.unwrap()
        };
        let index = index_of(&pod.port()).unwrap();
        let inside = in_namespace(pod.namespace(), || if_nametoindex("eth0"));
        let bridge = index_of("cni0").ok();
        let inside = inside.unwrap().unwrap();
        let proved = NUMBERS.map(|namespace| ProvedLink {
            index,
            was: NodeLink {
                peer: Some(LinkPeer {
                    index: inside,
                    namespace,
                }),
                bridge,
                mac: None,
            },
        });
        let mut link = Self {
            test_node,
            check,
            proved: ProvedLink {
                index,
                was: NodeLink::default(),
            },
        };
        let found = proved.into_iter().any(|one| {
            link.proved = one;
            link.is_unchanged()
        });
        assert!(found, "the link is shown as expected");
        link
    }

    /// Asked in the node's namespace, as the daemon does.
    fn is_unchanged(&self) -> bool {
        let ask = || self.check.is_unchanged(&self.proved);
        in_namespace(self.test_node.namespace(), ask).unwrap()
    }
}

/// Does something to the links of a namespace.
fn with_links<T>(
    test_node: &TestNode,
    namespace: &Path,
    change: impl AsyncFnOnce(Connection<Route>) -> nlink::Result<T>,
) -> T {
    test_node.block_on(async {
        let kernel = Connection::<Route>::new_in(namespace).unwrap();
        change(kernel).await.unwrap()
    })
}

#[test]
fn a_link_that_leaves_its_bridge_is_another_one_at_once_and_not_for_longer() {
    let test_node = TestNode::start(Network::Bridge).unwrap();
    let (pod, _other) = (test_node.add_pod().unwrap(), test_node.add_pod().unwrap());
    let link = Link::of(&test_node, &pod);
    let node = test_node.namespace();
    for round in 0..200 {
        assert!(link.is_unchanged() && link.is_unchanged(), "{round}");
        with_links(&test_node, node, async |kernel| {
            kernel.set_link_nomaster(pod.port()).await
        });
        assert!(!link.is_unchanged(), "{round}");
        with_links(&test_node, node, async |kernel| {
            kernel.set_link_master(pod.port(), "cni0").await
        });
    }
}

#[test]
fn a_link_that_is_deleted_is_gone_at_once() {
    for network in [Network::Bridge, Network::Routed] {
        let test_node = TestNode::start(network).unwrap();
        for _ in 0..20 {
            let pod = test_node.add_pod().unwrap();
            let link = Link::of(&test_node, &pod);
            assert!(link.is_unchanged());
            with_links(&test_node, test_node.namespace(), async |kernel| {
                kernel.del_link(pod.port()).await
            });
            assert!(!link.is_unchanged(), "{network:?}");
        }
    }
}

#[test]
fn a_link_whose_other_end_is_moved_is_another_one_soon() {
    let test_node = TestNode::start(Network::Bridge).unwrap();
    let (pod, other) = (test_node.add_pod().unwrap(), test_node.add_pod().unwrap());
    let link = Link::of(&test_node, &pod);
    assert!(link.is_unchanged());
    let elsewhere = std::fs::File::open(other.namespace()).unwrap();
    with_links(&test_node, pod.namespace(), async |kernel| {
        kernel.set_link_down("eth0").await?;
        kernel.set_link_name("eth0", "moved").await?;
        kernel.set_link_netns_fd("moved", &elsewhere).await
    });
    wait_until("the check asks the kernel again", || !link.is_unchanged());
}
