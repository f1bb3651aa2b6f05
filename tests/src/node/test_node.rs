//! The node: a namespace with the metadata service's address on its loopback.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use nlink::netlink::{Connection, Route};
use podid_lab::layout::Layout;
use podid_lab::net::{AddressPool, Cloud, Namespace, NodeNetwork, PodRange, in_namespace};
use podid_lab::{Network, NodeKind};
use std::sync::Mutex;
use tokio::runtime::Runtime;

/// Name of the node in the API server.
pub(super) const NODE: &str = "node-0";

/// A node and the cloud's router, nothing else. All of it goes when this is dropped.
#[derive(Debug)]
pub struct TestNode {
    /// Held open, because a namespace lives as long as somebody holds it.
    router: File,
    _node: File,
    /// The node's side of the network.
    pub network: NodeNetwork,
    /// The node's address.
    pub address: Ipv4Addr,
    pub(super) pool: Mutex<AddressPool>,
    pub(super) cgroup: PathBuf,
    pub(super) runtime: Runtime,
}

impl TestNode {
    /// Makes a node whose pods are linked in the given way.
    ///
    /// # Errors
    /// When this is not root, or the kernel refuses.
    pub fn start(mode: Network) -> Result<Self> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "node tests make network namespaces and nftables rules: run them as root"
        );
        let runtime = Runtime::new()?;
        let layout = Layout::new("test", mode, &[NodeKind::Vm]);
        let node = layout.nodes.first().context("a layout with one node")?;
        let (router, node_file) = (new_namespace()?, new_namespace()?);
        let (router_at, node_at) = (handle(&router), handle(&node_file));
        let network = runtime.block_on(async {
            let cloud = Cloud::create(router_at).await?;
            cloud.add_node(node, node_at, mode).await
        })?;
        let cgroup =
            podid_lab::cgroup::root()?.join(format!("podid-test-{}", uuid::Uuid::new_v4()));
        Ok(Self {
            router,
            _node: node_file,
            pool: Mutex::new(AddressPool::new(PodRange::around(node.pod_network))),
            network,
            address: node.address,
            cgroup,
            runtime,
        })
    }

    /// The file that names the node's network namespace.
    #[must_use]
    pub fn namespace(&self) -> &Path {
        self.network.namespace().path()
    }

    /// The file that names the network namespace of the cloud's router.
    #[must_use]
    pub fn router(&self) -> PathBuf {
        handle(&self.router).path().to_owned()
    }

    /// The hardware address of the bridge that joins the node's pods.
    ///
    /// # Errors
    /// When the node has no bridge.
    pub fn bridge_mac(&self) -> Result<[u8; 6]> {
        let links = self.block_on(async {
            let kernel = Connection::<Route>::new_in(self.namespace())?;
            kernel.get_links().await
        })?;
        let bridge = links.iter().find(|link| link.kind() == Some("bridge"));
        let mac = bridge.and_then(|link| link.address());
        Ok(mac.context("a node with a bridge")?.try_into()?)
    }

    /// A listener on the node.
    ///
    /// # Errors
    /// When the address is not the node's, or taken.
    pub fn listen(&self, address: impl Into<SocketAddr>) -> Result<TcpListener> {
        listen(self.namespace(), address.into())
    }

    /// A listener on the cloud's router.
    ///
    /// # Errors
    /// When the address is not the router's, or taken.
    pub fn listen_at_router(&self, address: impl Into<SocketAddr>) -> Result<TcpListener> {
        listen(&self.router(), address.into())
    }

    /// Runs a task of the node's stand-ins to its end.
    pub fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }
}

fn listen(namespace: &Path, address: SocketAddr) -> Result<TcpListener> {
    let listener = in_namespace(namespace, || TcpListener::bind(address))??;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Err(error) = podid_lab::cgroup::remove(&self.cgroup) {
            // A cgroup that stays is worth a line, and no reason to hide the test's own outcome.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("left behind: {error}");
            }
        }
    }
}

/// A new network namespace, held by nothing but the file.
pub(super) fn new_namespace() -> Result<File> {
    let made = std::thread::spawn(|| -> io::Result<File> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net")
    });
    Ok(made
        .join()
        .map_err(|_| anyhow::anyhow!("the namespace's thread panicked"))??)
}

/// Names a namespace that is held open by this process.
pub(super) fn handle(file: &File) -> Namespace {
    Namespace::at(format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        file.as_raw_fd()
    ))
}
