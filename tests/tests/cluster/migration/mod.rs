//! docs/migrate.md, typed along in a cluster of aad-pod-identity: podid serves its pods, and nothing of it stays but
//! what people have written.

mod predecessor;

use std::path::Path;
use std::process::Command;

use podid_lab::layout::{LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT};
use podid_lab::{Lab, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::pages::{blocks, page, section};
use podid_tests::programs::{self, repository};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};

use crate::fixture::options;

const TEAM: &str = "payments";
/// Client id of the team's identity.
const CLIENT: &str = "c11e2700-0000-4000-8000-0000000000ab";

/// The commands below a heading of the third level, or of a section.
fn commands(heading: &str) -> String {
    let page = page("docs/migrate.md");
    let steps = section(&page, "A cluster, step by step");
    match steps.split_once(&format!("\n### {heading}\n")) {
        Some((_, rest)) => blocks(rest.split("\n### ").next().unwrap(), "sh").concat(),
        None => blocks(&section(&page, heading), "sh").concat(),
    }
}

/// Types commands in the clone, with podid's command line and a repository `fleet` in `folder`.
fn types(lab: &Lab, folder: &Path, commands: &str) -> String {
    let names = blocks(
        &section(&page("docs/migrate.md"), "A cluster, step by step"),
        "sh",
    )
    .remove(0);
    let kubectl = lab.kubectl(&[]).unwrap();
    let tools = Path::new(kubectl.get_program()).parent().unwrap();
    let system = std::env::var("PATH").unwrap();
    let path = format!(
        "{}:{}:{system}",
        tools.display(),
        programs::folder().display()
    );
    let commands = commands.replace("--repo fleet", &format!("--repo {}", folder.display()));
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{names}{commands}")])
        .current_dir(repository())
        .env("PATH", path)
        .env("KUBECONFIG", lab.kubeconfig())
        .env("RESOURCE_ID", resource_id())
        .output()
        .unwrap();
    assert!(output.status.success(), "{commands}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn resource_id() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reports"
    )
}

#[test]
fn a_cluster_of_aad_pod_identity_becomes_one_of_podid_and_its_people_lose_nothing() {
    let lab = lab();
    let kubectl = Kubectl::of(&lab);
    let folder = tempfile::tempdir().unwrap();
    predecessor::is_installed(&kubectl);
    let looked = types(
        &lab,
        folder.path(),
        &commands("1. What podid would not serve"),
    );
    assert!(
        looked.contains("service principals: each needs a class and a Role"),
        "{looked}"
    );
    assert!(looked.contains("aks-addon-exception"), "{looked}");

    installs_podid(&lab, folder.path());
    wait_until("podid has assigned the pod its identity", || {
        assigned(&kubectl) == [TEAM]
    });

    // Back, and on again.
    types(&lab, folder.path(), &commands("Back to aad-pod-identity"));
    assert_eq!(assigned(&kubectl), Vec::<String>::new());
    let mic = kubectl.json(&["get", "deployment/aad-pod-identity-mic"]);
    assert_eq!(mic["spec"]["replicas"], 2);
    kubectl.run(&["get", "azureassignedidentity/web-payments-reports"]);
    installs_podid(&lab, folder.path());
    wait_until("podid has assigned it again", || {
        assigned(&kubectl) == [TEAM]
    });

    types(&lab, folder.path(), &commands("4. Remove NMI and MIC"));
    types(
        &lab,
        folder.path(),
        &commands("5. Remove what MIC has written"),
    );
    assert_eq!(
        predecessor::objects_left(&kubectl),
        [
            "AzureAssignedIdentity payments",
            "AzureIdentity payments reports",
            "AzureIdentity payments sp",
            "AzureIdentityBinding payments reports",
            "AzurePodIdentityException kube-system aks-addon-exception"
        ]
    );
    let left = kubectl.run(&[
        "get",
        "deployments,daemonsets,serviceaccounts,secrets",
        "--output=name",
    ]);
    assert_eq!(left, "serviceaccount/default\n");
    adopts(&lab, &kubectl, folder.path());
}

/// Steps 2 and 3, with an overlay of the reader's own: the lab's.
fn installs_podid(lab: &Lab, folder: &Path) {
    types(lab, folder, &commands("2. Stop MIC"));
    let step = commands("3. Install podid beside NMI");
    let (kinds, looks) = step.split_once("kubectl --namespace podid-system").unwrap();
    types(lab, folder, kinds);
    install::programs(
        lab,
        &programs::folder(),
        &repository().join("kustomize/lab"),
    )
    .unwrap();
    types(
        lab,
        folder,
        &format!("kubectl --namespace podid-system{looks}"),
    );
}

/// Step 6.
fn adopts(lab: &Lab, kubectl: &Kubectl<'_>, folder: &Path) {
    let step = commands("6. Profiles in place of hand-written objects");
    let (creates, rest) = step.split_once("kubectl ").unwrap();
    let git = format!(
        "cd '{0}' && git init --quiet -b main . && git config user.name Shop && \
         git config user.email shop@example.com\n",
        folder.display()
    );
    types(lab, folder, &format!("{git}{creates}"));
    kubectl.apply(&class());
    kubectl.run(&[
        "apply",
        "--recursive",
        "--filename",
        &folder.join("payments").display().to_string(),
    ]);
    types(lab, folder, &format!("kubectl {rest}"));
    let bound = || {
        let all = kubectl.json(&["--namespace", TEAM, "get", "azureassignedidentities"]);
        let all = all["items"].as_array().unwrap().clone();
        let name = |one: &Value| one["spec"]["azureIdentityRef"]["metadata"]["name"].clone();
        all.iter()
            .filter(|one| one["status"]["status"] == "Assigned")
            .map(name)
            .collect::<Vec<_>>()
    };
    wait_until("the pod has the identity by the profile alone", || {
        bound() == ["reports-profile"]
    });
}

fn lab() -> Lab {
    let lab = Lab::up(options("migration")).unwrap();
    let seed = json!({
        "subscriptions": [SUBSCRIPTION],
        "location": LOCATION,
        "identities": [{"name": "reports", "resourceGroup": RESOURCE_GROUP, "clientId": CLIENT}],
    });
    let url = format!("{}/seed", lab.sim_admin_url());
    let posted = Command::new("curl")
        .args(["-sSf", "-d", &seed.to_string(), &url])
        .status();
    assert!(posted.unwrap().success());
    lab
}

/// A class as the component `adopt-aad-pod-identity` has it.
fn class() -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityClass",
        "metadata": {"name": "standard"},
        "spec": {
            "clusterName": "lab",
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "location": LOCATION,
            "nodeResourceGroup": NODE_GROUP,
            "limits": {"namespaces": {"names": [TEAM]}, "allowHandWritten": true},
        },
    })
}

/// The namespaces of podid's AzureAssignedIdentities that are assigned.
fn assigned(kubectl: &Kubectl<'_>) -> Vec<String> {
    let ours = "--selector=app.kubernetes.io/managed-by=podid-operator";
    let all = kubectl.json(&["get", "azureassignedidentities", "--all-namespaces", ours]);
    let all = all["items"].as_array().unwrap();
    let assigned = all
        .iter()
        .filter(|one| one["status"]["status"] == "Assigned");
    assigned
        .filter_map(|one| Some(one["metadata"]["namespace"].as_str()?.to_owned()))
        .collect()
}
