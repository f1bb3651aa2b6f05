//! The volumes of a pod, as folders of the lab.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, KeyToPath, Pod, ServiceAccount, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};
use kube::ResourceExt;
use kube::api::{Api, PostParams};

use super::environment::{PodFacts, entries};
use super::error::ContainerStartError;
use crate::container::Mount;
use crate::kubelet::node::Node;

/// How long a token holds if the manifest does not say.
const TOKEN_SECONDS: i64 = 3600;

/// Every ConfigMap that the pod's manifest names.
pub(super) async fn config_maps(
    node: &Node,
    pod: &Pod,
) -> Result<BTreeMap<String, ConfigMap>, ContainerStartError> {
    let api: Api<ConfigMap> = Api::namespaced(
        node.context.client.clone(),
        &pod.namespace().unwrap_or_default(),
    );
    let mut found = BTreeMap::new();
    for name in named(pod) {
        let map = api
            .get_opt(&name)
            .await
            .map_err(|source| ContainerStartError::Api {
                what: format!("ConfigMap {name}"),
                source,
            })?;
        found.extend(map.map(|map| (name, map)));
    }
    Ok(found)
}

fn named(pod: &Pod) -> Vec<String> {
    let Some(spec) = &pod.spec else {
        return Vec::new();
    };
    let containers = || spec.containers.iter();
    let of_environment = containers()
        .flat_map(|container| container.env_from.iter().flatten())
        .filter_map(|source| Some(source.config_map_ref.as_ref()?.name.clone()));
    let of_variables = containers()
        .flat_map(|container| container.env.iter().flatten())
        .filter_map(|one| {
            Some(
                one.value_from
                    .as_ref()?
                    .config_map_key_ref
                    .as_ref()?
                    .name
                    .clone(),
            )
        });
    let volumes = || spec.volumes.iter().flatten();
    let of_volumes = volumes().filter_map(|volume| Some(volume.config_map.as_ref()?.name.clone()));
    let projected = volumes()
        .filter_map(|volume| volume.projected.as_ref()?.sources.as_ref())
        .flatten()
        .filter_map(|source| Some(source.config_map.as_ref()?.name.clone()));
    let mut all: Vec<String> = of_environment
        .chain(of_variables)
        .chain(of_volumes)
        .chain(projected)
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Where a pod's volumes are on its node.
#[derive(Clone, Debug)]
pub(super) struct Volumes {
    /// The pod's own folder.
    pub(super) pod: PathBuf,
    /// What the node has as its disk: a folder of the lab, never the machine's own.
    pub(super) disk: PathBuf,
}

impl Volumes {
    /// An empty folder, over which each container mounts its root, seen by nobody else.
    pub(super) fn root(&self) -> PathBuf {
        self.pod.join("root")
    }

    fn folder(&self, volume: &Volume) -> PathBuf {
        match &volume.host_path {
            Some(path) => self.disk.join(path.path.trim_start_matches('/')),
            None => self.pod.join("volumes").join(&volume.name),
        }
    }

    /// Makes all volumes of the pod, or what of them has changed; returns after which time tokens are to be renewed.
    pub(super) async fn fill(
        &self,
        node: &Node,
        facts: &PodFacts<'_>,
    ) -> Result<Duration, ContainerStartError> {
        write_folder(&self.root())?;
        let volumes = facts
            .pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        let mut shortest = TOKEN_SECONDS;
        for volume in volumes {
            let folder = self.folder(volume);
            write_folder(&folder)?;
            if let Some(of_map) = &volume.config_map {
                let optional = of_map.optional == Some(true);
                let data = entries(&of_map.name, optional, facts)?;
                write_items(&folder, data, of_map.items.as_deref())?;
            } else if let Some(projected) = &volume.projected {
                for source in projected.sources.iter().flatten() {
                    shortest = shortest.min(project(node, facts, &folder, source).await?);
                }
            } else if volume.empty_dir.is_none() && volume.host_path.is_none() {
                return Err(ContainerStartError::unknown(
                    "kind of volume of",
                    &volume.name,
                ));
            }
        }
        // As a kubelet does, when four fifths of its time are over.
        Ok(Duration::from_secs(
            shortest.max(600).unsigned_abs() * 4 / 5,
        ))
    }

    /// What of them a container mounts.
    pub(super) fn mounts(
        &self,
        container: &Container,
        facts: &PodFacts<'_>,
    ) -> Result<Vec<Mount>, ContainerStartError> {
        let volumes = facts
            .pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        let volumes: BTreeMap<&str, &Volume> = volumes
            .map(|volume| (volume.name.as_str(), volume))
            .collect();
        let mounts = container.volume_mounts.iter().flatten().map(|mount| {
            let volume = volumes.get(mount.name.as_str());
            let volume =
                volume.ok_or_else(|| ContainerStartError::unknown("volume", &mount.name))?;
            let folder = self.folder(volume);
            Ok(Mount {
                source: mount
                    .sub_path
                    .as_ref()
                    .map_or(folder.clone(), |path| folder.join(path)),
                target: mount.mount_path.clone().into(),
                read_only: mount.read_only == Some(true),
            })
        });
        mounts.collect()
    }
}

/// One source of a projected volume; returns how many seconds it holds.
async fn project(
    node: &Node,
    facts: &PodFacts<'_>,
    folder: &Path,
    source: &VolumeProjection,
) -> Result<i64, ContainerStartError> {
    if let Some(token) = &source.service_account_token {
        let text = self::token(node, facts, token).await?;
        write(&folder.join(&token.path), &text)?;
        return Ok(token.expiration_seconds.unwrap_or(TOKEN_SECONDS));
    }
    if let Some(of_map) = &source.config_map {
        let data = entries(&of_map.name, of_map.optional == Some(true), facts)?;
        write_items(folder, data, of_map.items.as_deref())?;
    } else if let Some(fields) = &source.downward_api {
        for item in fields.items.iter().flatten() {
            let path = item
                .field_ref
                .as_ref()
                .map(|field| field.field_path.as_str());
            write(
                &folder.join(&item.path),
                &facts.field(path.unwrap_or_default())?,
            )?;
        }
    } else {
        return Err(ContainerStartError::unknown(
            "source of a projected volume",
            "a Secret",
        ));
    }
    Ok(TOKEN_SECONDS)
}

/// A token of the pod's service account, bound to the pod as a kubelet's are.
async fn token(
    node: &Node,
    facts: &PodFacts<'_>,
    wanted: &ServiceAccountTokenProjection,
) -> Result<String, ContainerStartError> {
    let account = facts.field("spec.serviceAccountName")?;
    let api: Api<ServiceAccount> = Api::namespaced(
        node.context.client.clone(),
        &facts.field("metadata.namespace")?,
    );
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: wanted.audience.clone().map(|audience| vec![audience]),
            expiration_seconds: wanted.expiration_seconds.or(Some(TOKEN_SECONDS)),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: facts.pod.metadata.name.clone(),
                uid: facts.pod.uid(),
            }),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let answer = api
        .create_token_request(&account, &PostParams::default(), &request)
        .await;
    let answer = answer.map_err(|source| ContainerStartError::Api {
        what: format!("a token of service account {account}"),
        source,
    })?;
    Ok(answer
        .status
        .and_then(|status| status.token)
        .unwrap_or_default())
}

fn write_items(
    folder: &Path,
    data: BTreeMap<String, String>,
    items: Option<&[KeyToPath]>,
) -> Result<(), ContainerStartError> {
    let path_of = |key: &str| match items {
        None => Some(key.to_owned()),
        Some(items) => items
            .iter()
            .find(|item| item.key == key)
            .map(|item| item.path.clone()),
    };
    for (key, text) in data {
        if let Some(path) = path_of(&key) {
            write(&folder.join(path), &text)?;
        }
    }
    Ok(())
}

/// Writes a file, of which a reader sees either the old text or the new.
fn write(path: &Path, text: &str) -> Result<(), ContainerStartError> {
    write_folder(path.parent().unwrap_or(path))?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, path))
        .map_err(|source| ContainerStartError::Write {
            path: path.to_owned(),
            source,
        })
}

fn write_folder(path: &Path) -> Result<(), ContainerStartError> {
    fs::create_dir_all(path).map_err(|source| ContainerStartError::Write {
        path: path.to_owned(),
        source,
    })
}
