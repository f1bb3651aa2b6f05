//! What the chart and the overlays render to, by the real helm and kustomize.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use podid_lab::tools::{self, ToolGroup, Toolset};
use serde_json::Value;

use crate::programs::repository;

/// Folder of the chart.
#[must_use]
pub fn chart() -> PathBuf {
    repository().join("charts/podid")
}

/// The programs that render, of the lab's versions; built when they are not there.
///
/// # Panics
/// When they cannot be built.
#[must_use]
#[allow(clippy::expect_used)]
pub fn toolset() -> &'static Toolset {
    static TOOLS: OnceLock<Toolset> = OnceLock::new();
    let groups = [
        ToolGroup::Kubernetes,
        ToolGroup::Etcd,
        ToolGroup::Helm,
        ToolGroup::Kustomize,
    ];
    TOOLS.get_or_init(|| tools::ensure(&groups).expect("helm, kustomize and kubectl"))
}

/// `helm`, without any settings of whoever runs the tests; `home` takes what it writes.
#[must_use]
pub fn helm(home: &std::path::Path) -> Command {
    let mut command = Command::new(toolset().bin("helm"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HELM_") || text == "KUBECONFIG" {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", home)
        .env("XDG_CACHE_HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("XDG_DATA_HOME", home)
        .current_dir(repository());
    command
}

/// What helm writes, or what it complains of.
///
/// # Errors
/// When it fails.
///
/// # Panics
/// When it cannot be run.
#[allow(clippy::expect_used)]
pub fn run_helm(arguments: &[&str]) -> Result<String, String> {
    let home = tempfile::tempdir().expect("a folder for helm");
    said(
        &helm(home.path())
            .args(arguments)
            .output()
            .expect("helm starts"),
    )
}

/// What `kustomize build` of a folder of the repository writes, or what it complains of.
///
/// # Errors
/// When it fails.
///
/// # Panics
/// When it cannot be run.
#[allow(clippy::expect_used)]
pub fn kustomize(folder: &str) -> Result<String, String> {
    let mut command = Command::new(toolset().bin("kustomize"));
    let command = command.arg("build").arg(repository().join(folder));
    said(&command.output().expect("kustomize starts"))
}

/// The same by `kubectl kustomize`.
///
/// # Errors
/// When it fails.
///
/// # Panics
/// When it cannot be run.
#[allow(clippy::expect_used)]
pub fn kubectl_kustomize(folder: &str) -> Result<String, String> {
    let mut command = Command::new(toolset().bin("kubectl"));
    let command = command.arg("kustomize").arg(repository().join(folder));
    said(&command.output().expect("kubectl starts"))
}

/// The objects of a text of YAML documents.
///
/// # Panics
/// When it is not YAML.
#[must_use]
#[allow(clippy::expect_used)]
pub fn objects(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML documents");
    documents.into_iter().filter(Value::is_object).collect()
}

fn said(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
