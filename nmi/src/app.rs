//! How the daemon is put together.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use podid_azure::{Imds, ImdsOptions};
use podid_core::binding::BindingScope;
use podid_netfilter::{BridgeMonitor, Listeners, Monitor, Nft};
use podid_runtime::{Drain, Readiness, Signals, Tasks, admin, logging, metrics};
use tokio::sync::{mpsc, watch};

use crate::args::{DEFAULT_PORT, RunArgs};
use crate::attest::{KernelLinks, LinkMonitor};
use crate::guardian::Guardian;
use crate::keeper::{Inputs, Keeper, Outputs};
use crate::metrics::Metrics;
use crate::server::{ImdsLag, Limits, Listener, Origin, Service, Waits};
use crate::{open_files, pod_events, privileges, watch as watches};

/// How many changes may wait for the keeper before the watches are held back.
const CHANGES: usize = 1024;
/// How many calls of unproved pods may wait for it; more are not needed to make it look.
const CALLS: usize = 64;

/// Runs the daemon until it is told to stop. The rules stay.
///
/// # Errors
/// What it cannot start without: a capability, an address, the rules, a usable kubeconfig. The API
/// server and the metadata service need not be there yet.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    logging::init(&args.settings.log)?;
    privileges::prove()?;
    open_files::raise_limit();
    let (drain, readiness, mut tasks) = (Drain::new(), Readiness::new(), Tasks::new());
    tasks.background("signals", Signals::install()?.forward_to(drain.clone()));

    let mut registry = metrics::registry("nmi");
    let metrics = Metrics::register(&mut registry);
    let admin = admin::bind(args.settings.admin_addr).await?;
    let synced = readiness.owe("watches synced");
    tasks.background(
        "admin",
        admin.serve(readiness.clone(), drain.clone(), registry),
    );

    let address = listen_address(args.listen)?;
    let attested = Listener::bind(address, Origin::Attested).await?;
    let other = SocketAddrV4::new(*address.ip(), args.unattested_port);
    let unattested = Listener::bind(other, Origin::Unattested).await?;
    let listeners = Listeners {
        attested: attested.local_addr(),
        unattested: unattested.local_addr(),
    };

    let (monitor, bridges) = (Monitor::here()?, BridgeMonitor::here()?);
    let (guardian, wanted, held) =
        Guardian::take_over(Nft::here()?, listeners, readiness.clone(), metrics.clone()).await?;
    tasks.background("guardian", guardian.run(monitor, bridges));

    let client = client(args.kubeconfig.as_deref()).await?;
    let (reports, publisher) = pod_events::channel();
    tasks.background(
        "reports",
        publisher.run(pod_events::recorder(client.clone(), args.node_name.clone())),
    );
    let (changes_sender, changes) = mpsc::channel(CHANGES);
    tasks.background(
        "watches",
        watches::follow(client, args.node_name.clone(), changes_sender),
    );

    let (snapshots, snapshots_receiver) = watch::channel(Arc::default());
    let (calls_sender, calls) = mpsc::channel(CALLS);
    let reach = if args.force_namespaced {
        BindingScope::Namespace
    } else {
        BindingScope::Cluster
    };
    let outputs = Outputs {
        wanted,
        snapshots,
        reports: reports.clone(),
        metrics: metrics.clone(),
    };
    let (news_sender, links) = mpsc::channel(CHANGES);
    let news = LinkMonitor::here().context("cannot hear of changes of the node's links")?;
    tasks.background("links", news.run(news_sender));
    let keeper = Keeper::new(reach, outputs, synced);
    tasks.background(
        "keeper",
        keeper.run(Inputs {
            changes,
            calls,
            held,
            links,
        }),
    );

    let options = ImdsOptions {
        base_url: args.metadata_endpoint,
        ..ImdsOptions::default()
    };
    let service = Arc::new(Service {
        snapshots: snapshots_receiver,
        imds: Arc::new(Imds::new(options)?),
        calls: calls_sender,
        links: Arc::new(KernelLinks),
        waits: Waits {
            assign: args.assign_wait,
            attest: args.attest_wait,
        },
        lag: ImdsLag::default(),
        reports,
        metrics,
    });
    let limits = Limits::default();
    for (name, listener) in [("attested pods", attested), ("unattested pods", unattested)] {
        tasks.required(
            name,
            listener.serve(Arc::clone(&service), limits.clone(), drain.clone()),
        );
    }

    tasks.supervise(&drain, args.settings.drain_timeout).await?;
    Ok(())
}

/// The address asked for, or the node's.
fn listen_address(asked: Option<SocketAddrV4>) -> anyhow::Result<SocketAddrV4> {
    match asked {
        Some(address) if address.ip().is_unspecified() => {
            Ok(SocketAddrV4::new(node_address()?, address.port()))
        }
        Some(address) => Ok(address),
        None => Ok(SocketAddrV4::new(node_address()?, DEFAULT_PORT)),
    }
}

/// The address the node's default route uses. Nothing is sent: connecting a datagram socket only
/// asks the routing table.
fn node_address() -> anyhow::Result<Ipv4Addr> {
    /// An address of the documentation (RFC 5737), which only the default route leads to.
    const ELSEWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9);
    let ask = || -> std::io::Result<SocketAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(ELSEWHERE)?;
        socket.local_addr()
    };
    match ask().context("cannot find the node's address by its default route; give --listen")? {
        SocketAddr::V4(address) => Ok(*address.ip()),
        SocketAddr::V6(_) => anyhow::bail!("the node has no IPv4 address; give --listen"),
    }
}

async fn client(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read the kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
        None => Config::incluster()
            .context("no API server: give --kubeconfig, or run as a pod of the cluster")?,
    };
    Ok(Client::try_from(config)?)
}
