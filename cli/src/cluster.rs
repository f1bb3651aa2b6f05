//! Reads the cluster of a kubeconfig, with the rights of whoever runs the command.

use std::path::Path;
use std::time::Duration;

use kube::api::{Api, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::ApiResource;
use kube::{Client, Config, Resource};
use serde_json::Value;

/// How many objects one answer holds.
const PAGE: u32 = 500;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Codes of HTTP.
const UNAUTHORIZED: u16 = 401;
pub(crate) const FORBIDDEN: u16 = 403;
pub(crate) const NOT_FOUND: u16 = 404;

/// Why a cluster cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("the kubeconfig cannot be used; check --kubeconfig, $KUBECONFIG and --context")]
    Kubeconfig(#[source] Box<KubeconfigError>),
    #[error("the API server of the kubeconfig cannot be talked to")]
    Client(#[source] Box<kube::Error>),
    #[error("the cluster does not list its {kinds}{hint}")]
    List {
        kinds: String,
        /// What helps, from a `; ` on; may be empty.
        hint: &'static str,
        source: Box<kube::Error>,
    },
    #[error("the calls to the cluster cannot be started")]
    Runtime(#[source] std::io::Error),
}

impl ClusterError {
    /// A list that was not given; `if_forbidden` is what helps where the user lacks the right.
    pub(crate) fn list<K>(error: kube::Error, if_forbidden: &'static str) -> Self
    where
        K: Resource<DynamicType = ()>,
    {
        let hint = match &error {
            error if has_code(error, FORBIDDEN) => if_forbidden,
            error if has_code(error, UNAUTHORIZED) => "; log in again",
            _ => "; check the address in the kubeconfig, and that you reach it",
        };
        Self::List {
            kinds: K::plural(&()).into_owned(),
            hint,
            source: Box::new(error),
        }
    }
}

/// Runs calls to a cluster to their end.
pub(crate) fn block_on<T, E>(calls: impl Future<Output = Result<T, E>>) -> Result<T, E>
where
    E: From<ClusterError>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ClusterError::Runtime)?;
    runtime.block_on(calls)
}

/// A client for the cluster of a kubeconfig, which is $KUBECONFIG or the user's own where none is named.
pub(crate) async fn client(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<Client, ClusterError> {
    let failed = |error: KubeconfigError| ClusterError::Kubeconfig(Box::new(error));
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = match kubeconfig {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(failed)?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await
        }
        None => Config::from_kubeconfig(&options).await,
    };
    let mut config = config.map_err(failed)?;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))
}

/// All objects of a kind, or of one namespace, as they are stored.
pub(crate) async fn list<K>(
    client: &Client,
    namespace: Option<&str>,
) -> Result<Vec<Value>, kube::Error>
where
    K: Resource<DynamicType = ()>,
{
    let resource = ApiResource::erase::<K>(&());
    let client = client.clone();
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let mut params = ListParams::default().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&params).await?;
        for mut object in page.items {
            object.types = Some(kube::core::TypeMeta {
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
            });
            let value = serde_json::to_value(object).map_err(kube::Error::SerdeError)?;
            found.push(value);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Whether the API server answered with this code of HTTP.
pub(crate) fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
