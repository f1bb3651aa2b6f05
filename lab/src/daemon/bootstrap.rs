//! The objects a fresh cluster of the lab has: Flux's kinds and namespace, and
//! a public token issuer.

use std::path::Path;

use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::{self, await_condition};
use kube::{Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::layout::FLUX_NAMESPACE;

/// Why the first objects were not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum BootstrapError {
    /// The API server refused one.
    #[error("cannot apply {name}")]
    Apply {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// A file of custom resource definitions cannot be used.
    #[error(
        "cannot read the definitions in {path}; remove that folder and rebuild it with `{}`",
        crate::hint::typed("tools")
    )]
    Definitions {
        /// The file or folder.
        path: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A watch ended.
    #[error("cannot wait for {what}")]
    Wait {
        /// What was waited for.
        what: String,
        /// Why not.
        #[source]
        source: wait::Error,
    },
}

async fn apply<K>(api: &Api<K>, object: &K) -> Result<(), BootstrapError>
where
    K: kube::Resource + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let name = object.name_any();
    let params = PatchParams::apply("podid-lab").force();
    match api.patch(&name, &params, &Patch::Apply(object)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(BootstrapError::Apply {
            name,
            source: Box::new(source),
        }),
    }
}

/// Applies the definitions in every file of `folder`, and waits until the API
/// server serves them.
pub(crate) async fn definitions(client: &Client, folder: &Path) -> Result<(), BootstrapError> {
    let unreadable =
        |source: Box<dyn std::error::Error + Send + Sync>| BootstrapError::Definitions {
            path: folder.display().to_string(),
            source,
        };
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definitions = read_definitions(folder).map_err(unreadable)?;
    let applied = definitions.iter().map(|definition| apply(&api, definition));
    futures::future::try_join_all(applied).await?;
    let served = definitions.iter().map(|definition| {
        let name = definition.name_any();
        let api = api.clone();
        async move {
            await_condition(api, &name, is_crd_established())
                .await
                .map(drop)
                .map_err(|source| BootstrapError::Wait {
                    what: name.clone(),
                    source,
                })
        }
    });
    futures::future::try_join_all(served).await.map(drop)
}

fn read_definitions(
    folder: &Path,
) -> Result<Vec<CustomResourceDefinition>, Box<dyn std::error::Error + Send + Sync>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        all.extend(serde_saphyr::from_multiple::<CustomResourceDefinition>(
            &text,
        )?);
    }
    Ok(all)
}

/// Makes Flux's namespace.
pub(crate) async fn flux_namespace(client: &Client) -> Result<(), BootstrapError> {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(FLUX_NAMESPACE.to_owned());
    apply(&Api::all(client.clone()), &namespace).await
}

/// Lets anyone read the token issuer's keys, as a public issuer does: Azure reads
/// them without an account in the cluster.
pub(crate) async fn public_issuer(client: &Client) -> Result<(), BootstrapError> {
    let name = "lab-public-issuer";
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": { "name": name },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:service-account-issuer-discovery",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": "system:unauthenticated",
        }],
    }))
    .map_err(|error| BootstrapError::Apply {
        name: name.to_owned(),
        source: Box::new(kube::Error::SerdeError(error)),
    })?;
    apply(&Api::all(client.clone()), &binding).await
}

/// Waits until pods can be made: the controllers have made the service account
/// every pod of the namespace `default` gets.
pub(crate) async fn default_service_account(client: &Client) -> Result<(), BootstrapError> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let there = |account: Option<&ServiceAccount>| account.is_some();
    await_condition(api, "default", there)
        .await
        .map(drop)
        .map_err(|source| BootstrapError::Wait {
            what: "the default service account".to_owned(),
            source,
        })
}

/// Waits until the scheduler may use the node: it is ready and carries no
/// taint of Kubernetes itself. Others are there because the lab was asked for them.
pub(crate) async fn schedulable(client: &Client, name: &str) -> Result<(), BootstrapError> {
    let api: Api<Node> = Api::all(client.clone());
    await_condition(api, name, |node: Option<&Node>| {
        node.is_some_and(can_be_used)
    })
    .await
    .map(drop)
    .map_err(|source| BootstrapError::Wait {
        what: format!("node {name}"),
        source,
    })
}

fn can_be_used(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|all| {
        all.iter()
            .any(|one| one.type_ == "Ready" && one.status == "True")
    });
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    let mut taints = taints.into_iter().flatten();
    ready && !taints.any(|taint| taint.key.starts_with("node.kubernetes.io/"))
}
