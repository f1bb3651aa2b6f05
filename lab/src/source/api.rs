//! The parts of Flux's source kinds that the stand-in reads, by Flux's own names
//! (`source.toolkit.fluxcd.io/v1`). The real definitions are installed in the lab.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// The annotation that asks for a reconciliation now.
pub(super) const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// What is wanted of a git repository.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "GitRepository",
    namespaced,
    status = "SourceStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GitRepositorySpec {
    pub(super) url: String,
    #[serde(rename = "ref")]
    pub(super) reference: Option<GitReference>,
    pub(super) suspend: bool,
    pub(super) ignore: Option<String>,
    pub(super) include: Vec<serde_json::Value>,
    pub(super) sparse_checkout: Vec<String>,
    pub(super) recurse_submodules: bool,
    pub(super) verify: Option<serde_json::Value>,
}

/// Which commit of a repository is wanted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GitReference {
    pub(super) branch: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) semver: Option<String>,
    pub(super) name: Option<String>,
    pub(super) commit: Option<String>,
}

/// What is wanted of a chart.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "HelmChart",
    namespaced,
    status = "SourceStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HelmChartSpec {
    pub(super) chart: String,
    pub(super) source_ref: SourceRef,
    pub(super) reconcile_strategy: Option<String>,
    pub(super) values_files: Vec<String>,
    pub(super) verify: Option<serde_json::Value>,
    pub(super) suspend: bool,
}

/// The source a chart is in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SourceRef {
    pub(super) kind: String,
    pub(super) name: String,
}

/// The status both kinds share.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SourceStatus {
    pub(super) observed_generation: Option<i64>,
    pub(super) conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact: Option<ArtifactStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_handled_reconcile_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) observed_chart_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) observed_source_artifact_revision: Option<String>,
}

/// Where an artifact is and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ArtifactStatus {
    pub(super) path: String,
    pub(super) url: String,
    pub(super) revision: String,
    pub(super) digest: String,
    pub(super) last_update_time: String,
    pub(super) size: u64,
}
