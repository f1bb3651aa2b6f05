//! How the daemon reaches the API server: as its own account, and as its node.

mod refusal;

use std::path::Path;

use anyhow::Context;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::args::RunArgs;

/// Clients of the API server.
pub(crate) struct ApiClients {
    /// The daemon's own account.
    pub(crate) own: Client,
    /// For the pods of this node, and for Events about them: the node's user with `--act-as-node`, so that the API
    /// server lets through what concerns this node only; else the daemon's own account. The Node authorizer knows no
    /// other kind that the daemon reads.
    pub(crate) pods: Client,
}

impl ApiClients {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// When no usable kubeconfig or service account is there.
    pub(crate) async fn new(args: &RunArgs) -> anyhow::Result<Self> {
        let config = config(args.kubeconfig.as_deref()).await?;
        let own = Client::try_from(config.clone())?;
        let pods = match args.act_as_node {
            true => as_node(config, &args.node_name)?,
            false => own.clone(),
        };
        Ok(Self { own, pods })
    }
}

/// The node's user, whom the API server lets the account of a pod on this node impersonate.
fn as_node(mut config: Config, node: &str) -> anyhow::Result<Client> {
    config.auth_info.impersonate = Some(format!("system:node:{node}"));
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&refusal::explained()).build())
}

async fn config(kubeconfig: Option<&Path>) -> anyhow::Result<Config> {
    match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read the kubeconfig {}", path.display()))?;
            Ok(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)
        }
        None => Config::incluster()
            .context("no API server: give --kubeconfig, or run as a pod of the cluster"),
    }
}
