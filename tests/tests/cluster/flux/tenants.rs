//! A team that writes from a repository of its own stays within its namespace and its class.

use std::fs;
use std::path::Path;

use podid_lab::Flux;
use podid_tests::kubectl::Kubectl;
use podid_tests::programs::repository;
use podid_tests::{fleet, flux};
use serde_json::{Value, json};

use super::{lab, namespaces};

const TEAM: &str = "payments";
const LAYER: &str = "kustomization/payments";

/// `flux/tenants/payments` with a repository on this machine.
fn invite(kubectl: &Kubectl<'_>, bare: &Path) {
    let folder = tempfile::tempdir().unwrap();
    for file in ["kustomization.yaml", "namespace.yaml", "account.yaml"] {
        let from = repository().join("flux/tenants/payments").join(file);
        fs::copy(from, folder.path().join(file)).unwrap();
    }
    let sync = fs::read_to_string(repository().join("flux/tenants/payments/sync.yaml")).unwrap();
    let sync = sync.replace("https://git.example.com/payments/deploy", &flux::url(bare));
    let sync = sync.replace("  secretRef:\n    name: payments-git\n", "");
    // No operator runs here that would make the profile ready.
    let sync = sync.replace("wait: true", "wait: false");
    // A refusal is looked at again soon.
    let sync = sync.replace("retryInterval: 2m", "retryInterval: 2s");
    fs::write(folder.path().join("sync.yaml"), sync).unwrap();
    let folder = folder.path().to_str().unwrap();
    kubectl.run(&["apply", "--server-side", "--kustomize", folder]);
}

fn profile(namespace: &str) -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": "checkout", "namespace": namespace},
        "spec": {"className": "standard"},
    })
}

/// What the team must not write.
fn forbidden() -> Vec<(&'static str, Value)> {
    let id = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n";
    let metadata = json!({"name": "grab"});
    vec![
        (
            "podidentityclasses",
            json!({
                "apiVersion": "podid.dev/v1alpha1",
                "kind": "PodIdentityClass",
                "metadata": {"name": "standard"},
                "spec": crate::cases::class(json!({})),
            }),
        ),
        (
            "azureidentities",
            json!({
                "apiVersion": "aadpodidentity.k8s.io/v1",
                "kind": "AzureIdentity",
                "metadata": metadata,
                "spec": {"type": 0, "resourceID": id, "clientID": "c11e2700-0000-4000-8000-000000000001"},
            }),
        ),
        (
            "azureidentitybindings",
            json!({
                "apiVersion": "aadpodidentity.k8s.io/v1",
                "kind": "AzureIdentityBinding",
                "metadata": metadata,
                "spec": {"azureIdentity": "of-others", "selector": "checkout"},
            }),
        ),
        (
            "azurepodidentityexceptions",
            json!({
                "apiVersion": "aadpodidentity.k8s.io/v1",
                "kind": "AzurePodIdentityException",
                "metadata": metadata,
                "spec": {"podLabels": {"app": "checkout"}},
            }),
        ),
    ]
}

/// Commits these objects as the team's profiles.
fn commit(bare: &Path, objects: &[Value]) -> String {
    fleet::pushed(bare, |clone| {
        let folder = clone.join("profiles");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (at, object) in objects.iter().enumerate() {
            fs::write(folder.join(format!("{at}.yaml")), object.to_string()).unwrap();
        }
    })
}

fn refused(kubectl: &Kubectl<'_>, commit: &str) -> String {
    let is_refused = |layer: &Value| {
        let attempted = layer["status"]["lastAttemptedRevision"].as_str();
        let conditions = layer["status"]["conditions"].as_array();
        attempted.unwrap_or_default().ends_with(commit)
            && conditions
                .into_iter()
                .flatten()
                .any(|one| one["type"] == "Ready" && one["status"] == "False")
    };
    let layer = kubectl.wait_until(LAYER, TEAM, "refused", is_refused);
    layer["status"]["conditions"].to_string()
}

#[test]
fn a_tenant_writes_profiles_in_its_namespace_and_nothing_else() {
    let lab = lab("flux-tenants", Flux::Kustomize);
    let kubectl = Kubectl::of(&lab);
    namespaces(&kubectl, &[TEAM, "others"]);
    let bare = fleet::bare();
    commit(bare.path(), &[profile(TEAM)]);
    invite(&kubectl, bare.path());
    kubectl.wait_for("podidentityprofile/checkout", TEAM);
    for (kind, object) in forbidden() {
        let commit = commit(bare.path(), &[profile(TEAM), object]);
        let said = refused(&kubectl, &commit);
        assert!(
            said.contains("forbidden") && said.contains(kind),
            "{kind}: {said}"
        );
    }
    // What names the namespace of another team is put into the team's own.
    let commit = commit(bare.path(), &[profile("others")]);
    kubectl.wait_until(LAYER, TEAM, "applied", |layer| {
        let applied = layer["status"]["inventory"]["entries"].to_string();
        let attempted = layer["status"]["lastAttemptedRevision"].as_str();
        attempted.unwrap_or_default().ends_with(&commit) && applied.contains("payments_checkout")
    });
    assert_eq!(kubectl.find("podidentityprofile/checkout", "others"), None);
}
