//! A network of the lab without a cluster: namespaces bound to files in a mount namespace that
//! ends with the test's thread, so that nothing is left however the test ends.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nlink::netlink::namespace::create_path;
use nlink::netlink::{Connection, Route};
use podid_lab::layout::Layout;
use podid_lab::net::{Cloud, Namespace, NodeNetwork, PodLink, PodRange, in_namespace};
use podid_lab::{Network, NodeKind};

/// Longest wait for a connection that should be there at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs a test on this thread with mounts of its own.
pub(crate) fn block_on<F: Future>(test: F) -> F::Output {
    unshare(CloneFlags::CLONE_NEWNS).expect("the lab's tests need root");
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

/// A control plane and its nodes.
pub(crate) struct Bench {
    pub(crate) layout: Layout,
    pub(crate) control_plane: Namespace,
    pub(crate) nodes: Vec<NodeNetwork>,
    cloud: Cloud,
}

impl Bench {
    pub(crate) async fn new(mode: Network, nodes: usize) -> Self {
        let layout = Layout::new("test", mode, &vec![NodeKind::Uniform; nodes]);
        let control_plane = namespace("control-plane");
        let cloud = Cloud::create(control_plane.clone()).await.unwrap();
        let mut bench = Self {
            layout,
            control_plane,
            nodes: Vec::new(),
            cloud,
        };
        for index in 0..nodes {
            namespace(&format!("node-{index}"));
            let node = bench.join(index, mode).await;
            bench.nodes.push(node);
        }
        bench
    }

    pub(crate) async fn join(&self, index: usize, mode: Network) -> NodeNetwork {
        let namespace = Namespace::at(path(&format!("node-{index}")));
        self.cloud
            .add_node(&self.layout.nodes[index], namespace, mode)
            .await
            .unwrap()
    }

    /// A pod with an address of its own; `uid` must be new.
    pub(crate) async fn pod(&self, node: usize, uid: &str) -> PodLink {
        let range = PodRange::around(self.layout.nodes[node].pod_network);
        let host = uid.bytes().fold(0_u8, u8::wrapping_add) % 200 + 2;
        let pod = PodLink {
            uid: uid.to_owned(),
            address: range.host(host),
            namespace: namespace(uid),
        };
        self.nodes[node].attach(&pod).await.unwrap();
        pod
    }
}

fn path(name: &str) -> String {
    format!("/run/bench/{name}")
}

fn namespace(name: &str) -> Namespace {
    let path = path(name);
    // A loop over network modes names its namespaces anew.
    if Path::new(&path).exists() {
        nlink::netlink::namespace::delete_path(&path).unwrap();
    }
    create_path(&path).unwrap();
    Namespace::at(path)
}

/// Connects from one namespace to a listener in another; returns whom the listener saw, after a
/// byte went each way.
pub(crate) fn call(from: &Namespace, to: &Namespace, address: Ipv4Addr) -> io::Result<IpAddr> {
    let listener = in_namespace(to.path(), || TcpListener::bind((address, 0))).unwrap()?;
    let server = listener.local_addr()?;
    let mut client = in_namespace(from.path(), || {
        TcpStream::connect_timeout(&server, PATIENCE)
    })
    .unwrap()?;
    let (mut accepted, peer) = listener.accept()?;
    for stream in [&client, &accepted] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let mut byte = [0];
    client.write_all(b"?")?;
    accepted.read_exact(&mut byte)?;
    accepted.write_all(b"!")?;
    client.read_exact(&mut byte)?;
    Ok(peer.ip())
}

/// Tries to connect to an address that is nowhere in the lab.
pub(crate) fn connect(from: &Namespace, address: Ipv4Addr) -> io::Result<TcpStream> {
    let server = SocketAddr::from((address, 80));
    in_namespace(from.path(), || {
        TcpStream::connect_timeout(&server, PATIENCE)
    })
    .unwrap()
}

/// Whether the kernel knew of no way, rather than nobody having answered.
pub(crate) fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable
    )
}

/// The names of a namespace's links.
pub(crate) fn links(namespace: &Namespace) -> BTreeSet<String> {
    in_namespace(namespace.path(), || {
        let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let names = text
            .lines()
            .skip(2)
            .filter_map(|line| line.split(':').next());
        names.map(|name| name.trim().to_owned()).collect()
    })
    .unwrap()
}

/// All links and IPv4 routes of a namespace, by name and sorted; numbers that differ from run to
/// run are left out.
pub(crate) async fn links_and_routes(namespace: &Namespace) -> BTreeSet<String> {
    let kernel: Connection<Route> = Connection::new_in(namespace.path()).unwrap();
    let links = kernel.get_links().await.unwrap();
    let name = |index: Option<u32>| {
        let link = links.iter().find(|link| Some(link.ifindex()) == index);
        link.and_then(|link| link.name()).unwrap_or("-").to_owned()
    };
    let routes = kernel.get_routes().await.unwrap();
    let routes = routes.iter().filter(|route| route.is_ipv4()).map(|route| {
        format!(
            "route {} dev {}",
            route.destination_str(),
            name(route.oif())
        )
    });
    let names = links
        .iter()
        .map(|link| format!("link {}", name(Some(link.ifindex()))));
    names.chain(routes).collect()
}
