//! What `az aks show` and `az account show` say, as far as it matters here. The fields are those of the ARM type
//! `Microsoft.ContainerService/managedClusters`, with `properties` flattened, as `az` prints them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// No answer of `az` about one cluster is nearly as long.
const MAX_BYTES: u64 = 4 << 20;

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AksFileError {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is larger than 4 MiB, so it is not what `{command}` says of one object")]
    TooLarge {
        path: PathBuf,
        command: &'static str,
    },
    #[error("{path} is not what `{command}` says")]
    Json {
        path: PathBuf,
        command: &'static str,
        source: serde_json::Error,
    },
    #[error(
        "{path} has no {field}, so it is not what `{command}` says of a cluster; take the output of one \
         cluster, with no --query"
    )]
    Missing {
        path: PathBuf,
        field: &'static str,
        command: &'static str,
    },
    #[error(
        "the id in {path} is {id:?}, not that of a cluster: /subscriptions/…/resourceGroups/…/…"
    )]
    BadId { path: PathBuf, id: String },
}

const AKS: &str = "az aks show --output json";
const ACCOUNT: &str = "az account show --output json";

/// A cluster.
#[derive(Debug)]
pub(super) struct AksCluster {
    pub(super) name: String,
    pub(super) subscription: String,
    pub(super) resource_group: String,
    pub(super) node_resource_group: String,
    pub(super) location: String,
    /// Object id of the kubelet identity; absent on clusters with a service principal.
    pub(super) kubelet_object_id: Option<String>,
    /// Issuer of service account tokens; absent while the cluster has none.
    pub(super) oidc_issuer: Option<String>,
    /// Tenant of the cluster's own identity.
    pub(super) tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: Option<String>,
    name: Option<String>,
    location: Option<String>,
    node_resource_group: Option<String>,
    identity_profile: Option<IdentityProfile>,
    oidc_issuer_profile: Option<OidcIssuerProfile>,
    identity: Option<ClusterIdentity>,
}

#[derive(Deserialize)]
struct IdentityProfile {
    kubeletidentity: Option<KubeletIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KubeletIdentity {
    object_id: Option<String>,
}

#[derive(Deserialize)]
struct OidcIssuerProfile {
    #[serde(rename = "issuerUrl", alias = "issuerURL")]
    issuer_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterIdentity {
    tenant_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    tenant_id: Option<String>,
}

/// Reads what `az aks show` says.
pub(super) fn cluster(path: &Path) -> Result<AksCluster, AksFileError> {
    let shown: Shown = read(path, AKS)?;
    let missing = |field| AksFileError::Missing {
        path: path.to_owned(),
        field,
        command: AKS,
    };
    let id = shown.id.ok_or_else(|| missing("id"))?;
    let Some((subscription, resource_group)) = groups(&id) else {
        return Err(AksFileError::BadId {
            path: path.to_owned(),
            id,
        });
    };
    Ok(AksCluster {
        name: shown.name.ok_or_else(|| missing("name"))?,
        subscription,
        resource_group,
        node_resource_group: shown
            .node_resource_group
            .ok_or_else(|| missing("nodeResourceGroup"))?,
        location: region(&shown.location.ok_or_else(|| missing("location"))?),
        kubelet_object_id: shown
            .identity_profile
            .and_then(|profile| profile.kubeletidentity)
            .and_then(|identity| identity.object_id),
        oidc_issuer: shown
            .oidc_issuer_profile
            .and_then(|profile| profile.issuer_url),
        tenant: shown.identity.and_then(|identity| identity.tenant_id),
    })
}

/// Reads the tenant from what `az account show` says.
pub(super) fn tenant(path: &Path) -> Result<String, AksFileError> {
    let account: Account = read(path, ACCOUNT)?;
    account.tenant_id.ok_or_else(|| AksFileError::Missing {
        path: path.to_owned(),
        field: "tenantId",
        command: ACCOUNT,
    })
}

fn read<T: DeserializeOwned>(path: &Path, command: &'static str) -> Result<T, AksFileError> {
    let unreadable = |source| AksFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(AksFileError::TooLarge {
            path: path.to_owned(),
            command,
        });
    }
    // PowerShell writes a byte order mark into what it redirects.
    let json = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(json).map_err(|source| AksFileError::Json {
        path: path.to_owned(),
        command,
        source,
    })
}

/// Subscription and resource group of an ARM id, whose keys take any letter case.
fn groups(id: &str) -> Option<(String, String)> {
    let mut parts = id.split('/').skip(1);
    let mut next = |key: &str| {
        let is_key = parts.next()?.eq_ignore_ascii_case(key);
        let value = parts.next().filter(|value| is_key && !value.is_empty())?;
        Some(value.to_owned())
    };
    Some((next("subscriptions")?, next("resourceGroups")?))
}

/// Short name of a region that may be given by its display name, `West Europe`.
fn region(name: &str) -> String {
    name.replace(' ', "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_any_letter_case() {
        let wanted = Some(("s".to_owned(), "g".to_owned()));
        for id in [
            "/subscriptions/s/resourceGroups/g/providers/p",
            "/SUBSCRIPTIONS/s/resourcegroups/g",
        ] {
            assert_eq!(groups(id), wanted, "{id}");
        }
        for id in [
            "",
            "/",
            "/subscriptions/s",
            "/subscriptions//resourceGroups/g",
            "s/g",
        ] {
            assert_eq!(groups(id), None, "{id}");
        }
    }

    #[test]
    fn a_display_name_becomes_a_region() {
        assert_eq!(region("West Europe"), "westeurope");
    }
}
