//! The files of a cluster path, made from those in `flux/`, which are the one truth about their
//! form: a file is read, the facts of the cluster are set in it, and it is written without its comments.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{BootstrapArgs, InstallArgs};
use super::facts::ClusterFacts;
use super::template::{ClusterFileError, Editor, GIT_SOURCE, TEMPLATES, Upkeep};
use crate::create::values::access_limits;

/// A file of the cluster path.
#[derive(Debug)]
pub(super) struct ClusterFile {
    /// Relative to the root of the repository.
    pub(super) path: PathBuf,
    pub(super) upkeep: Upkeep,
    /// With its first line.
    pub(super) text: String,
    pub(super) object: Value,
}

/// First line of files that every run writes anew.
pub(super) const GENERATED: &str =
    "# Written by podid bootstrap git, and written anew by its next run. Do not edit.";
const ONCE: &str = "# Made by podid bootstrap git, which does not change it again: it is yours.";
const KUSTOMIZATION: &str =
    "# Made by podid bootstrap git. It is yours: podid only adds entries that are missing.";

/// Folder of podid in the cluster path. Its kustomization.yaml makes Flux take it as one resource, so that layers
/// are not applied before their turn.
pub(super) const FOLDER: &str = "podid";

/// All files of the cluster path.
pub(super) fn cluster_files(
    args: &BootstrapArgs,
    cluster_path: &Path,
    facts: &ClusterFacts,
) -> Result<Vec<ClusterFile>, ClusterFileError> {
    let folder = cluster_path.join(FOLDER);
    let files = TEMPLATES.iter().map(|template| {
        let mut editor = Editor::read(template)?;
        fill(&mut editor, args, &folder, facts)?;
        let file = template.file;
        let yaml = serde_saphyr::to_string(&editor.object)
            .map_err(|source| ClusterFileError::Write { file, source })?;
        Ok(ClusterFile {
            path: folder.join(file),
            upkeep: template.upkeep,
            text: format!("{}\n{yaml}", first_line(template.upkeep)),
            object: editor.object,
        })
    });
    files.collect()
}

fn first_line(upkeep: Upkeep) -> &'static str {
    match upkeep {
        Upkeep::Generated => GENERATED,
        Upkeep::Once => ONCE,
        Upkeep::Kustomization => KUSTOMIZATION,
    }
}

/// Sets what is particular to the cluster.
fn fill(
    editor: &mut Editor,
    args: &BootstrapArgs,
    folder: &Path,
    facts: &ClusterFacts,
) -> Result<(), ClusterFileError> {
    match editor.file {
        "facts.yaml" => {
            editor.set("/metadata/namespace", &args.install.flux_namespace)?;
            editor.set("/data", variables(facts))
        }
        "infrastructure.yaml" | "classes.yaml" | "profiles.yaml" => layer(editor, args, folder),
        "infrastructure/source.yaml" => source(editor, args),
        "infrastructure/release.yaml" => release(editor, args, facts),
        "classes/class.yaml" => class(editor, args, facts),
        "classes/limits.yaml" => {
            editor.set("/metadata/name", &args.limits.class)?;
            if let Some(neighbours) = args.limits.neighbours.field() {
                editor.object["spec"]["neighbours"] = json!(neighbours);
            }
            editor.set("/spec/limits", limits(args))
        }
        _ => Ok(()),
    }
}

/// What profiles can say in place of a fact.
fn variables(facts: &ClusterFacts) -> Value {
    let mut data = json!({
        "podid_cluster": facts.cluster,
        "podid_tenant_id": facts.tenant,
        "podid_subscription_id": facts.subscription,
        "podid_resource_group": facts.resource_group,
        "podid_node_resource_group": facts.node_resource_group,
        "podid_location": facts.location,
    });
    if let Some(issuer) = &facts.oidc_issuer {
        data["podid_oidc_issuer"] = json!(issuer);
    }
    data
}

fn layer(editor: &mut Editor, args: &BootstrapArgs, folder: &Path) -> Result<(), ClusterFileError> {
    let path = folder.join(editor.file.trim_end_matches(".yaml"));
    editor.set("/metadata/namespace", &args.install.flux_namespace)?;
    editor.set("/spec/sourceRef/name", &args.install.flux_source)?;
    editor.set("/spec/path", format!("./{}", path.display()))
}

fn source(editor: &mut Editor, args: &BootstrapArgs) -> Result<(), ClusterFileError> {
    let install = &args.install;
    if is_oci(&install.chart) {
        editor.set("/spec/url", &install.chart)?;
        editor.set("/spec/ref/semver", &install.chart_version)?;
    } else {
        *editor = Editor::read(&GIT_SOURCE)?;
        editor.set("/spec/url", &install.chart)?;
        editor.set("/spec/ref/tag", &install.chart_version)?;
    }
    if let Some(secret) = &install.chart_secret {
        editor.object["spec"]["secretRef"] = json!({"name": secret});
    }
    Ok(())
}

fn release(
    editor: &mut Editor,
    args: &BootstrapArgs,
    facts: &ClusterFacts,
) -> Result<(), ClusterFileError> {
    let settings = "/spec/values/operator/settings";
    editor.set(&format!("{settings}/tenantId"), &facts.tenant)?;
    editor.set(&format!("{settings}/clientId"), &args.install.client_id)?;
    match image_registry(&args.install) {
        Some(registry) => editor.set("/spec/values/image/registry", registry)?,
        None => editor.remove("/spec/values", "image")?,
    }
    if is_oci(&args.install.chart) {
        return Ok(());
    }
    let chart = json!({"spec": {
        "chart": "./charts/podid",
        "reconcileStrategy": "Revision",
        "sourceRef": {"kind": "GitRepository", "name": "podid"},
    }});
    editor.replace("chartRef", "chart", chart)
}

fn class(
    editor: &mut Editor,
    args: &BootstrapArgs,
    facts: &ClusterFacts,
) -> Result<(), ClusterFileError> {
    editor.set("/metadata/name", &args.limits.class)?;
    editor.set("/spec/clusterName", &facts.cluster)?;
    editor.set("/spec/tenantId", &facts.tenant)?;
    editor.set("/spec/subscriptionId", &facts.subscription)?;
    editor.set("/spec/resourceGroup", &facts.resource_group)?;
    editor.set("/spec/location", &facts.location)?;
    editor.set("/spec/nodeResourceGroup", &facts.node_resource_group)?;
    match &facts.node_principal {
        Some(principal) => editor.set("/spec/nodeGrants/principalId", principal),
        None => editor.remove("/spec", "nodeGrants"),
    }
}

fn limits(args: &BootstrapArgs) -> Value {
    json!({
        "namespaces": {"names": args.limits.allow_namespace},
        "access": access_limits(&args.limits.allow_access),
    })
}

/// Where the images are: where the author says, else beside a chart that is in a registry.
fn image_registry(install: &InstallArgs) -> Option<String> {
    let beside_chart = || {
        let (registry, _chart) = install.chart.strip_prefix("oci://")?.rsplit_once('/')?;
        Some(registry.to_owned())
    };
    install.image_registry.clone().or_else(beside_chart)
}

/// Whether the chart is in a registry and not in a git repository.
pub(super) fn is_oci(chart: &str) -> bool {
    chart.starts_with("oci://")
}
