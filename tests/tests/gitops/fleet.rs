//! The repository that a cluster follows, and what people commit to it.

use std::fs;
use std::path::Path;

use podid_lab::layout::{
    KUBELET_PRINCIPAL, LOCATION, NODE_GROUP, OPERATOR_CLIENT_ID, RESOURCE_GROUP, SUBSCRIPTION,
    TENANT, VAULT,
};
use podid_tests::fleet;
use podid_tests::workloads::team::TEAM;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Folder of the cluster in the repository.
pub(crate) const CLUSTER_PATH: &str = "clusters/lab";
/// The role that the class allows on the lab's vault.
pub(crate) const ROLE: &str = "Key Vault Secrets User";

pub(crate) struct Fleet(TempDir);

impl Fleet {
    pub(crate) fn new() -> Self {
        Self(fleet::bare())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `podid bootstrap git` with the facts of a lab.
    pub(crate) fn bootstrap(&self, chart: &str, version: &str) {
        let access = format!("{ROLE}={}", resource_group());
        let facts = [
            ["--cluster-path", CLUSTER_PATH],
            ["--cluster", "lab"],
            ["--tenant", TENANT],
            ["--subscription", SUBSCRIPTION],
            ["--resource-group", RESOURCE_GROUP],
            ["--node-resource-group", NODE_GROUP],
            ["--node-principal", KUBELET_PRINCIPAL],
            ["--location", LOCATION],
            ["--client-id", OPERATOR_CLIENT_ID],
            ["--allow-namespace", TEAM],
            ["--allow-access", &access],
            ["--chart", chart],
            ["--chart-version", version],
            ["--image-registry", "podid.dev"],
        ];
        fleet::bootstrap(self.path(), facts.as_flattened());
    }

    /// Commits and pushes what `edit` does in the folder of the cluster; the commit.
    pub(crate) fn push(&self, edit: impl FnOnce(&Path)) -> String {
        fleet::pushed(self.path(), |clone| edit(&clone.join(CLUSTER_PATH)))
    }

    /// Reverts and pushes the newest commit; the commit that does so.
    pub(crate) fn revert(&self) -> String {
        fleet::reverted(self.path())
    }

    /// Commits and pushes the files of an earlier commit; the commit that does so.
    pub(crate) fn restore(&self, earlier: &str) -> String {
        fleet::restored(self.path(), earlier)
    }

    /// Commits profiles of the team, by name and spec, to the layer of profiles, or removes those without a spec.
    pub(crate) fn push_profiles(&self, profiles: &[(&str, Option<Value>)]) -> String {
        self.push(|cluster| write_profiles(&cluster.join("podid/profiles"), profiles))
    }
}

/// Writes profiles into a folder of profiles, or removes those without a spec.
fn write_profiles(folder: &Path, profiles: &[(&str, Option<Value>)]) {
    for (name, spec) in profiles {
        let file = folder.join(format!("{name}.yaml"));
        match spec {
            Some(spec) => fs::write(file, profile(name, spec).to_string()),
            None => fs::remove_file(file),
        }
        .unwrap();
    }
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "kustomization.yaml").collect();
    names.sort();
    let list = kustomization(json!({"resources": names}));
    fs::write(folder.join("kustomization.yaml"), list.to_string()).unwrap();
}

/// A kustomization.yaml with these fields.
pub(crate) fn kustomization(mut fields: Value) -> Value {
    fields["apiVersion"] = json!("kustomize.config.k8s.io/v1beta1");
    fields["kind"] = json!("Kustomization");
    fields
}

/// A profile of the team with the class of the bootstrap.
pub(crate) fn profile(name: &str, spec: &Value) -> Value {
    let mut profile = json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": {"className": "standard"},
    });
    for (field, value) in spec.as_object().unwrap() {
        profile["spec"][field] = value.clone();
    }
    profile
}

/// Reads the secrets of the lab's vault.
pub(crate) fn reads_secrets() -> Value {
    json!([{"role": ROLE, "scope": vault()}])
}

/// Id of the lab's vault.
pub(crate) fn vault() -> String {
    format!(
        "{}/providers/Microsoft.KeyVault/vaults/{VAULT}",
        resource_group()
    )
}

fn resource_group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}")
}
