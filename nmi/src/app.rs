//! Creates the parts of the daemon and connects them.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kube::Client;
use podid_azure::{Imds, ImdsOptions, Principals, TransportOptions};
use podid_core::binding::{BindingScope, ServingRules};
use podid_runtime::admin::{self, Admin, AdminPages};
use podid_runtime::{Drain, Readiness, ReadinessCheck, Signals, Tasks, logging, metrics, process};
use tokio::sync::{mpsc, watch};

use crate::api_clients::ApiClients;
use crate::args::{DEFAULT_PORT, RunArgs};
use crate::attest::{KernelInspector, KernelLinkCheck, LinkMonitor};
use crate::intercept::nftables;
use crate::intercept::{
    ActiveDaemon, AllowedEndpoints, Handover, InstalledEndpoints, Interception,
};
use crate::metrics::NodeMetrics;
use crate::pod_events::{self, PodEvents};
use crate::pod_state::{Inputs, Outputs, OverviewRequest, PodStateManager};
use crate::recent_errors::RecentErrors;
use crate::server::{self, ConnectionLimits, TokenService, Waits};
use crate::snapshot::Snapshots;
use crate::status::{self, StatusParts, StatusSource};
use crate::token::{
    ApiSecrets, DecidedSource, EntraTokens, NodeIdentityTokens, NodeImds, SharedImds, TokenCache,
    TokenSources,
};
use crate::{open_files, privileges, shared_listener, watch as watches};

/// How many changes may wait for the pod state manager before the watches are held back.
const CHANGES: usize = 1024;
/// How many reports of callers that are not attested may wait for the pod state manager. One look
/// serves all that wait, so more are not needed.
const CALLS: usize = 64;

/// How long Entra may take: less than SDKs wait for the metadata service.
const ENTRA_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection to it may take.
const ENTRA_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the daemon until SIGTERM or SIGINT. Interception stays in place.
///
/// # Errors
/// What it cannot start without: a capability, an address, the rules, a usable kubeconfig. The API
/// server and the metadata service need not be there yet.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    logging::init(&args.settings.log)?;
    privileges::check()?;
    process::forbid_dumps()?;
    open_files::raise_limit();
    let (drain, readiness, mut tasks) = (Drain::new(), Readiness::new(), Tasks::new());
    tasks.background("signals", Signals::install()?.forward_to(drain.clone()));
    let not_synced = readiness.register("watches synced");
    let mut registry = metrics::registry("nmi");
    let metrics = NodeMetrics::register(&mut registry);
    // Before anything that can take long or fail for now, such as the first lists: from here on no pod
    // reaches the node's own metadata service.
    let Interception {
        engine,
        engine_name,
        callers,
        allowed,
        installed,
        active,
        handover,
        upkeep,
    } = intercept(&args, &readiness, &metrics).await?;
    tasks.background("interception", upkeep);
    let status = StatusSource::default();
    let pages = AdminPages::new(readiness.clone(), drain.clone(), registry);
    serve_admin(&args, pages, &status, active.clone(), &mut tasks).await?;
    let clients = ApiClients::new(&args).await?;
    let events = pod_events(&clients, &args, &mut tasks);
    let installed_now = installed.clone();
    let entra = entra_tokens(&args, clients.own.clone());
    let follower = PodStateParts {
        clients,
        allowed,
        installed,
        handover,
        events: events.clone(),
        metrics: metrics.clone(),
        not_synced,
    };
    let PodStateHandles {
        snapshots,
        calls,
        overviews,
    } = follower.start(&args, &mut tasks)?;
    let imds = node_imds(&args, &metrics)?;
    let source = DecidedSource {
        node_imds: NodeImds::new(imds.clone()),
        entra,
    };
    let cache = token_cache(source, snapshots.clone(), &metrics, &mut tasks);
    let errors = RecentErrors::default();
    status.start(StatusParts {
        node: args.node_name.clone(),
        readiness,
        engine: engine_name,
        active: active.clone(),
        installed: installed_now,
        overviews,
        cache: Arc::clone(&cache),
        errors: errors.clone(),
        metrics: metrics.clone(),
    });
    let sources = TokenSources {
        bound: cache,
        node_identities: NodeIdentityTokens::new(imds),
    };
    let links = KernelLinkCheck::here().context("cannot follow changes of the node's links")?;
    let service = TokenService {
        snapshots,
        sources,
        calls,
        callers,
        active,
        links: Arc::new(links),
        waits: Waits {
            assign: args.assign_wait,
            attest: args.attest_wait,
        },
        events,
        errors,
        metrics,
    };
    let limits = ConnectionLimits::default();
    let serving = server::serve(engine, Arc::new(service), limits, drain.clone());
    // Required, so that a drain waits for the answers to the requests under way.
    tasks.required("pods", serving);
    tasks.supervise(&drain, args.settings.drain_timeout).await?;
    Ok(())
}

/// Starts the writing of Events about pods.
fn pod_events(clients: &ApiClients, args: &RunArgs, tasks: &mut Tasks) -> PodEvents {
    let (events, queue) = pod_events::channel();
    let reporter = pod_events::reporter(args.node_name.clone());
    tasks.background("events", queue.run(clients.pods.clone(), reporter));
    events
}

/// `/metrics` of a daemon that has just started: every metric, with its help.
#[must_use]
pub fn metrics_at_start() -> String {
    let mut registry = metrics::registry("nmi");
    NodeMetrics::register(&mut registry);
    metrics::text(&registry)
}

/// Serves the admin pages: at the socket always, with the status, at the address while this daemon is the active one
/// of its node, so that who asks there is answered by the one that takes the calls.
async fn serve_admin(
    args: &RunArgs,
    pages: AdminPages,
    status: &StatusSource,
    mut active: watch::Receiver<ActiveDaemon>,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    if let Some(path) = &args.admin_socket {
        let socket = admin::bind_socket(path)?;
        let status = status.clone();
        let report = move || {
            let status = status.clone();
            async move { status.report().await }
        };
        let pages = pages.clone().with_json(status::PAGE, report);
        tasks.background("admin socket", socket.serve(pages));
    }
    let listener = shared_listener::listen(args.settings.admin_addr, "--admin-addr").await?;
    let admin = Admin::from(listener.socket);
    tasks.background("admin", async move {
        ActiveDaemon::This.reached(&mut active).await;
        tokio::select! {
            served = admin.serve(pages) => return served,
            () = ActiveDaemon::Later.reached(&mut active) => {}
        }
        std::future::pending().await
    });
    Ok(())
}

async fn intercept(
    args: &RunArgs,
    readiness: &Readiness,
    metrics: &NodeMetrics,
) -> anyhow::Result<Interception> {
    let attested = listen_address(args.listen)?;
    let started = nftables::start(nftables::StartOptions {
        attested,
        unattested: SocketAddrV4::new(*attested.ip(), args.unattested_port),
        readiness: readiness.clone(),
        metrics: metrics.clone(),
    });
    Ok(started.await?)
}

/// What the pod state manager and what feeds it are made of.
struct PodStateParts {
    clients: ApiClients,
    allowed: AllowedEndpoints,
    installed: InstalledEndpoints,
    handover: Option<Handover>,
    events: PodEvents,
    metrics: NodeMetrics,
    not_synced: ReadinessCheck,
}

/// What the others have of the pod state manager.
struct PodStateHandles {
    /// What the server reads.
    snapshots: Snapshots,
    /// Where it reports callers that are not attested.
    calls: mpsc::Sender<Ipv4Addr>,
    /// Where the status asks about all pods.
    overviews: mpsc::Sender<OverviewRequest>,
}

impl PodStateParts {
    /// Starts the watches, the link monitor and the manager.
    fn start(self, args: &RunArgs, tasks: &mut Tasks) -> anyhow::Result<PodStateHandles> {
        let (changes_sender, changes) = mpsc::channel(CHANGES);
        tasks.background(
            "watches",
            watches::follow(self.clients, args.node_name.clone(), changes_sender),
        );
        let (links_sender, links) = mpsc::channel(CHANGES);
        let monitor = LinkMonitor::here().context("cannot follow changes of the node's links")?;
        tasks.background("links", monitor.run(links_sender));
        let (snapshots_sender, snapshots) = watch::channel(Arc::default());
        let (calls_sender, calls) = mpsc::channel(CALLS);
        let (overviews_sender, overviews) = mpsc::channel(CALLS);
        let rules = ServingRules {
            scope: match args.force_namespaced {
                true => BindingScope::Namespace,
                false => BindingScope::Cluster,
            },
            legacy: args.legacy_identities,
            legacy_net_raw: args.legacy_net_raw,
        };
        let outputs = Outputs {
            allowed: self.allowed,
            snapshots: snapshots_sender,
            events: self.events,
            metrics: self.metrics,
        };
        let inspector = Arc::new(KernelInspector);
        let manager = PodStateManager::new(rules, outputs, inspector, self.not_synced);
        let running = manager.run(Inputs {
            changes,
            calls,
            installed: self.installed,
            links,
            overviews,
            handover: self.handover,
        });
        tasks.background("pod state", running);
        Ok(PodStateHandles {
            snapshots,
            calls: calls_sender,
            overviews: overviews_sender,
        })
    }
}

/// The node's metadata service, within its limits.
fn node_imds(args: &RunArgs, metrics: &NodeMetrics) -> anyhow::Result<SharedImds> {
    let options = ImdsOptions {
        base_url: args.metadata_endpoint.clone(),
        ..ImdsOptions::default()
    };
    Ok(SharedImds::new(
        Arc::new(Imds::new(options)?),
        metrics.clone(),
    ))
}

/// Entra, and the Secrets by which service principals prove themselves to it.
fn entra_tokens(args: &RunArgs, client: Client) -> EntraTokens {
    let transport = TransportOptions {
        extra_ca_file: args.ca_file.clone(),
        connect_timeout: ENTRA_CONNECT_TIMEOUT,
        request_timeout: ENTRA_TIMEOUT,
    };
    EntraTokens::new(
        Arc::new(ApiSecrets(client)),
        Arc::new(Principals::new(transport)),
    )
}

/// Keeps the tokens of a source.
fn token_cache(
    source: DecidedSource,
    snapshots: Snapshots,
    metrics: &NodeMetrics,
    tasks: &mut Tasks,
) -> Arc<TokenCache> {
    let cache = Arc::new(TokenCache::new(Arc::new(source), metrics.clone()));
    tasks.background("tokens", Arc::clone(&cache).keep_up(snapshots));
    cache
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
