//! The order in which the control plane's programs come up.

use std::time::Duration;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::bootstrap;
use super::cluster::{self, Cluster};
use super::parts::Parts;
use super::pki::{MANAGER_KUBECONFIG, SCHEDULER_KUBECONFIG};
use super::steps::{StepError, step, until};
use super::supervise::Supervisor;
use crate::context::Context;
use crate::state::{AUDIT_POLICY, StateDir};

/// How long each may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Starts etcd and the API server; returns its administrator's client.
pub(super) async fn start_api_server(
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
    cluster
        .dir
        .write(AUDIT_POLICY, cluster::AUDIT_POLICY)
        .map_err(StepError::of(part))?;
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
pub(super) async fn come_up(
    cluster: &Cluster<'_>,
    supervisor: &Supervisor,
    context: &Context,
    parts: &Parts,
) -> Result<(), StepError> {
    let manager = cluster.controller_manager(&cluster.dir.file(MANAGER_KUBECONFIG));
    supervisor
        .start(manager)
        .map_err(StepError::of("kube-controller-manager"))?;
    let scheduler = cluster.scheduler(&cluster.dir.file(SCHEDULER_KUBECONFIG));
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
    let issuer = step("the token issuer", LIMIT, bootstrap::public_issuer(client));
    let flux = start_flux(cluster, supervisor, context, parts);
    tokio::try_join!(accounts, nodes, issuer, flux).map(drop)
}

async fn start_flux(
    cluster: &Cluster<'_>,
    supervisor: &Supervisor,
    context: &Context,
    parts: &Parts,
) -> Result<(), StepError> {
    let controllers = cluster.flux_controllers();
    if controllers.is_empty() {
        return Ok(());
    }
    let objects = async {
        bootstrap::flux_namespace(&context.client).await?;
        bootstrap::definitions(&context.client, &cluster.tools.crds()).await
    };
    step("Flux's kinds", LIMIT, objects).await?;
    parts.run("the source stand-in", crate::source::run(context.clone()));
    for (program, _) in &controllers {
        supervisor
            .start(program.clone())
            .map_err(StepError::of(&program.name))?;
    }
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(StepError::of("Flux"))?;
    let waits = controllers.iter().map(|(program, url)| {
        let (http, name) = (http.clone(), &program.name);
        async move {
            let ready = until(supervisor, name, || answers(&http, url));
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
