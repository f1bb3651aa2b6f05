//! From an empty namespace to a lab that is up, then until its end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azure_sim::AzureSim;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::cluster::{self, Cluster};
use super::pki::{Pki, PkiError};
use super::requests::Requests;
use super::steps::{StepError, step, until};
use super::supervise::Supervisor;
use super::{DaemonError, Doors, ENDPOINTS_FILE, Spec, bootstrap, cloud, forward, view};
use crate::context::Context;
use crate::control;
use crate::events::{self, Event};
use crate::kubeconfig::{Credential, render};
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE, Layout};
use crate::net::{self, Fabric};
use crate::options::Target;
use crate::places::{Place, Places};
use crate::state::StateDir;
use crate::tools::Toolset;

const QUICK: Duration = Duration::from_secs(20);
const LIMIT: Duration = bootstrap::LIMIT;

/// An endless part of the lab that ended, and why.
type Ending = (&'static str, String);

pub(super) async fn serve(
    dir: &StateDir,
    cgroup: &Path,
    spec: Spec,
    doors: Doors,
) -> Result<(), DaemonError> {
    let options = &spec.options;
    let layout = Arc::new(Layout::new(&options.name, options.network, &options.nodes));
    let tools = Toolset::at(spec.tools);
    let endpoints = doors.endpoints().map_err(DaemonError::Loopback)?;
    dir.write_json(ENDPOINTS_FILE, &endpoints)?;

    let places = Places::default();
    places.insert(Target::ControlPlane, control_plane(cgroup));
    let pki = Pki::create(dir).map_err(StepError::of("certificates"))?;
    write_kubeconfigs(dir, &layout, &pki, endpoints.api_server)
        .map_err(StepError::of("kubeconfigs"))?;
    let world = cloud::world(options.world.as_ref(), &layout, &pki.ca)
        .map_err(StepError::of("azure-sim"))?;
    let authority = cloud::authority().map_err(StepError::of("azure-sim"))?;
    // Before any node: its mount namespace starts as a copy of this one.
    view::bind_files(
        dir,
        &layout,
        &cloud::hosts(&world),
        &[&authority.cert_pem, &pki.ca],
    )?;
    let fabric = step("network", QUICK, net::build(&layout, cgroup, &places)).await?;
    let fabric = Arc::new(fabric);
    let starting = cloud::start(world, options.speed, authority, doors.cloud);
    let sim = step("azure-sim", QUICK, starting).await?;
    serve_imds(&sim, &layout, &fabric)?;

    let supervisor = Supervisor::new(places.clone(), dir.clone());
    let env = view::service_env(dir);
    let cluster = Cluster {
        tools: &tools,
        dir,
        pki: &pki,
        env: &env,
    };
    let client = start_api_server(&cluster, &supervisor).await?;
    let context = Context {
        layout,
        dir: dir.clone(),
        cgroup: cgroup.to_owned(),
        client,
        places,
        program_env: Arc::new(view::program_env(dir)),
        shutdown: CancellationToken::new(),
    };

    let mut parts: JoinSet<Ending> = JoinSet::new();
    let api_server = SocketAddr::from((CONTROL_PLANE, API_SERVER_PORT));
    endless(
        &mut parts,
        "the forwarder",
        forward::forward(doors.api_server, api_server),
    );
    endless(
        &mut parts,
        "the kubelet's part",
        crate::kubelet::run(context.clone(), fabric),
    );
    let coming_up = come_up(&cluster, &supervisor, &context, &mut parts);
    coming_up.await?;
    let requests = Requests::new(context, supervisor, endpoints);
    // Bound before anyone is told that the lab is up.
    let socket =
        UnixListener::bind(dir.control_socket()).map_err(StepError::of("the control socket"))?;
    endless(
        &mut parts,
        "the control socket",
        control::serve(socket, requests),
    );
    events::emit(&Event::Up);
    let (part, why) = match parts.join_next().await {
        Some(Ok(ending)) => ending,
        Some(Err(panic)) => ("a part of the lab", panic.to_string()),
        None => ("the lab", String::new()),
    };
    // The simulator's listeners end with this value, not before.
    drop(sim);
    Err(DaemonError::Ended { part, why })
}

/// The daemon's own namespaces are the control plane.
fn control_plane(cgroup: &Path) -> Place {
    Place {
        pid: std::process::id(),
        cgroup: cgroup.join("control-plane"),
        address: Some(CONTROL_PLANE.into()),
        env: std::collections::BTreeMap::new(),
    }
}

fn endless<E: std::error::Error + Send + 'static>(
    parts: &mut JoinSet<Ending>,
    part: &'static str,
    work: impl Future<Output = Result<(), E>> + Send + 'static,
) {
    parts.spawn(async move {
        let why = work
            .await
            .err()
            .map(|error| format!(": {}", events::chain(&error)));
        (part, why.unwrap_or_default())
    });
}

fn write_kubeconfigs(
    dir: &StateDir,
    layout: &Layout,
    pki: &Pki,
    outside: u16,
) -> Result<(), PkiError> {
    let inside = format!("https://{CONTROL_PLANE}:{API_SERVER_PORT}");
    let outside = format!("https://127.0.0.1:{outside}");
    let admin = pki.client("podid-lab-admin", Some("system:masters"))?;
    let manager = pki.client("system:kube-controller-manager", None)?;
    let scheduler = pki.client("system:kube-scheduler", None)?;
    let files = [
        (dir.kubeconfig(), &outside, &admin),
        (dir.inner_kubeconfig(), &inside, &admin),
        (dir.file("controller-manager.kubeconfig"), &inside, &manager),
        (dir.file("scheduler.kubeconfig"), &inside, &scheduler),
    ];
    for (path, server, certificate) in files {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let credential = Credential::Certificate(certificate);
        dir.write(&name, render(&layout.name, server, &pki.ca, &credential))?;
    }
    Ok(())
}

fn serve_imds(sim: &AzureSim, layout: &Layout, fabric: &Fabric) -> Result<(), StepError> {
    const PART: &str = "instance metadata service";
    for node in &layout.nodes {
        let listener = fabric
            .imds_listener(&node.name)
            .map_err(StepError::of(PART))?;
        sim.serve_imds(&node.resource_id, listener)
            .map_err(StepError::of(PART))?;
    }
    Ok(())
}

async fn start_api_server(
    cluster: &Cluster<'_>,
    supervisor: &Supervisor,
) -> Result<Client, StepError> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(StepError::of("etcd"))?;
    supervisor
        .start(cluster.etcd())
        .map_err(StepError::of("etcd"))?;
    let health = format!("{}/health", cluster::ETCD);
    step(
        "etcd",
        LIMIT,
        until(supervisor, "etcd", || answers(&http, &health)),
    )
    .await?;

    let part = "kube-apiserver";
    supervisor
        .start(cluster.api_server())
        .map_err(StepError::of(part))?;
    let client = client(cluster.dir).await.map_err(StepError::of(part))?;
    let ready = || async {
        let request = http::Request::get("/readyz").body(Vec::new());
        match request {
            Ok(request) => client.request_text(request).await.is_ok(),
            Err(_) => false,
        }
    };
    step(part, LIMIT, until(supervisor, part, ready)).await?;
    Ok(client)
}

async fn client(dir: &StateDir) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let text = std::fs::read_to_string(dir.inner_kubeconfig())?;
    let kubeconfig = Kubeconfig::from_yaml(&text)?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(Client::try_from(config)?)
}

/// Everything that needs the API server, side by side.
async fn come_up(
    cluster: &Cluster<'_>,
    supervisor: &Supervisor,
    context: &Context,
    parts: &mut JoinSet<Ending>,
) -> Result<(), StepError> {
    let manager = cluster.controller_manager(&cluster.dir.file("controller-manager.kubeconfig"));
    supervisor
        .start(manager)
        .map_err(StepError::of("kube-controller-manager"))?;
    let scheduler = cluster.scheduler(&cluster.dir.file("scheduler.kubeconfig"));
    supervisor
        .start(scheduler)
        .map_err(StepError::of("kube-scheduler"))?;

    let client = &context.client;
    let accounts = step(
        "kube-controller-manager",
        LIMIT,
        bootstrap::default_service_account(client),
    );
    let nodes = step("nodes", LIMIT, async {
        let waits = context
            .layout
            .nodes
            .iter()
            .map(|node| bootstrap::schedulable(client, &node.name));
        futures::future::try_join_all(waits).await
    });
    let flux = start_flux(cluster, supervisor, context, parts);
    tokio::try_join!(accounts, nodes, flux).map(drop)
}

async fn start_flux(
    cluster: &Cluster<'_>,
    supervisor: &Supervisor,
    context: &Context,
    parts: &mut JoinSet<Ending>,
) -> Result<(), StepError> {
    let objects = async {
        bootstrap::first_objects(&context.client).await?;
        bootstrap::definitions(&context.client, &cluster.tools.crds()).await
    };
    step("Flux's kinds", LIMIT, objects).await?;
    endless(
        parts,
        "the source stand-in",
        crate::source::run(context.clone()),
    );
    let programs = [cluster.kustomize_controller(), cluster.helm_controller()];
    for program in programs {
        let name = program.name.clone();
        supervisor.start(program).map_err(StepError::of(&name))?;
    }
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(StepError::of("Flux"))?;
    let waits = cluster::flux_health().map(|(name, url)| {
        let http = http.clone();
        async move {
            let ready = until(supervisor, name, || answers(&http, &url));
            step(name, LIMIT, ready).await
        }
    });
    futures::future::try_join_all(waits).await.map(drop)
}

async fn answers(http: &reqwest::Client, url: &str) -> bool {
    http.get(url)
        .send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
}
