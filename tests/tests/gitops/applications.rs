//! The two applications of docs/examples in containers, applied as their pages say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use podid_lab::layout::{
    CONTROL_PLANE, LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT, VAULT_SECRET,
};
use podid_lab::{Lab, install};
use podid_tests::kubectl::Kubectl;
use podid_tests::manifests::toolset;
use podid_tests::pages::{blocks, page, section};
use podid_tests::programs::repository;
use podid_tests::python;
use podid_tests::sdk_image::{self, PACKAGES, SDK};
use podid_tests::workloads::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::release::Release;

/// Namespace and class of the applications.
const NAME: &str = "applications";
/// Where containers find the certificates of the simulated Azure.
const CERTIFICATES: &str = "/etc/azure-ca";

/// One application.
struct Application {
    /// Its folder below docs/examples.
    folder: &'static str,
    /// The folder of the overlay that its page has the reader write.
    overlay: &'static str,
    /// What runs it.
    workload: &'static str,
    /// Name of its image there.
    image: &'static str,
    /// The setting that names what it reads, in the lab.
    setting: &'static str,
    /// The same as the end of a resource id.
    resource: &'static str,
}

const SQL: Application = Application {
    folder: "sql-password",
    overlay: "sql",
    workload: "deployment/sql",
    image: "docker.io/library/python",
    setting: "VAULT=kv-demo",
    resource: "Microsoft.KeyVault/vaults/kv-demo",
};

const STORAGE: Application = Application {
    folder: "storage-list",
    overlay: "storage",
    workload: "job/storage-list",
    image: "storage-list",
    setting: "ACCOUNT=stdemo",
    resource: "Microsoft.Storage/storageAccounts/stdemo",
};

#[test]
fn both_say_who_refuses_them_and_work_with_their_roles() {
    let cluster = Release::enter();
    let lab = &cluster.lab;
    let kubectl = Kubectl::of(lab);
    let reader = reader(lab);
    for application in [&SQL, &STORAGE] {
        application.write_overlay(reader.path(), false);
        kubectl.run(&["apply", "-k", &folder(reader.path(), application.overlay)]);
    }
    says(
        &kubectl,
        &SQL,
        "Key Vault kv-demo refuses: ",
        "ForbiddenByRbac",
    );
    says(&kubectl, &SQL, "error: 403", "getSecret/action");
    let refused = "cannot list the containers of stdemo (403)";
    says(
        &kubectl,
        &STORAGE,
        refused,
        "AuthorizationPermissionMismatch",
    );
    for application in [&SQL, &STORAGE] {
        application.write_overlay(reader.path(), true);
    }
    let welcome = follow(lab, reader.path(), &SQL);
    assert!(welcome.ends_with("Welcome, sa.\n"), "{welcome}");
    for wrong in ["", "Correct horse battery staple", "correct"] {
        let said = login(&kubectl, wrong);
        assert_eq!(said, "Login failed for user 'sa'.\n401", "with {wrong:?}");
    }
    assert_eq!(login(&kubectl, VAULT_SECRET.1), "Welcome, sa.\n200");
    follow(lab, reader.path(), &STORAGE);
    let listed = kubectl.run(&["--namespace", NAME, "logs", STORAGE.workload]);
    assert_eq!(listed, "backups\nreports\n");
    leave(&kubectl);
}

/// Leaves the cluster as it was.
fn leave(kubectl: &Kubectl<'_>) {
    let profiles = ["delete", "podidentityprofiles", "--all"];
    kubectl.run(&[&["--namespace", NAME][..], &profiles].concat());
    kubectl.run(&["delete", "podidentityclass", NAME]);
    kubectl.run(&["delete", "namespace", NAME]);
}

/// A reader's folder with a clone of podid; namespace and class are there as the pages ask for them.
fn reader(lab: &Lab) -> TempDir {
    let reader = tempfile::tempdir().expect("a folder");
    let examples = reader.path().join("podid/docs/examples");
    fs::create_dir_all(&examples).expect("a folder");
    for application in [&SQL, &STORAGE] {
        let from = repository().join("docs/examples").join(application.folder);
        let copied = Command::new("cp")
            .arg("-r")
            .arg(from)
            .arg(&examples)
            .status();
        assert!(copied.expect("cp starts").success());
    }
    let archive = reader.path().join("application.tar");
    sdk_image::pack(&python::required(), &archive).expect("an image");
    install::import(lab, &[archive]).expect("nodes that run containers");
    install::trust_azure(lab, NAME).expect("a namespace");
    Kubectl::of(lab).apply(&class());
    reader
}

/// A class with the limits that the pages ask for.
fn class() -> Value {
    let limits: Vec<Value> = [&SQL, &STORAGE].map(Application::limit).into();
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityClass",
        "metadata": {"name": NAME},
        "spec": {
            "clusterName": NAME,
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "location": LOCATION,
            "nodeResourceGroup": NODE_GROUP,
            "limits": {"namespaces": {"names": [NAME]}, "access": limits},
        },
    })
}

/// The lab's resource group.
fn group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}")
}

impl Application {
    /// Its page.
    fn page(&self) -> String {
        page(&format!("docs/examples/{}/README.md", self.folder))
    }

    /// The role that the page has the class allow, in the lab's resource group.
    fn limit(&self) -> Value {
        let block = blocks(&section(&self.page(), "What the class must allow"), "yaml").remove(0);
        let block: Value = serde_saphyr::from_str(&block).expect("YAML");
        let limits = &block["limits"];
        assert_eq!(limits["namespaces"], json!({"names": ["payments"]}));
        json!({"role": limits["access"][0]["role"], "scopes": [group()]})
    }

    /// Writes the overlay of the page with the lab's names, and with the role or without it.
    fn write_overlay(&self, reader: &Path, with_role: bool) {
        let block = blocks(&section(&self.page(), "Apply it"), "yaml").remove(0);
        let title = format!("# {}/kustomization.yaml\n", self.overlay);
        assert!(block.starts_with(&title), "{block}");
        let mut overlay: Value = serde_saphyr::from_str(&block).expect("YAML");
        overlay["namespace"] = NAME.into();
        let (name, tag) = SDK.rsplit_once(':').expect("a tag");
        overlay["images"] = json!([{"name": self.image, "newName": name, "newTag": tag}]);
        overlay["configMapGenerator"][0]["literals"] = json!([self.setting]);
        let patch = overlay["patches"][0]["patch"].to_string();
        assert!(patch.contains("path: /spec/access/0/scope"), "{patch}");
        overlay["patches"][0]["patch"] = self.profile_patch(with_role).to_string().into();
        let patches = overlay["patches"].as_array_mut().expect("patches");
        patches.push(lab_patch());
        let folder = reader.join(self.overlay);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("kustomization.yaml"), overlay.to_string()).expect("a file");
    }

    /// Gives the profile the class and a scope of the lab, or no role.
    fn profile_patch(&self, with_role: bool) -> Value {
        let scope = format!("{}/providers/{}", group(), self.resource);
        let access = match with_role {
            true => json!({"op": "replace", "path": "/spec/access/0/scope", "value": scope}),
            false => json!({"op": "remove", "path": "/spec/access"}),
        };
        json!([access, {"op": "replace", "path": "/spec/className", "value": NAME}])
    }
}

/// Trust in the simulated Azure, its addresses, and where the image has Azure's SDK.
fn lab_patch() -> Value {
    let bundle = format!("{CERTIFICATES}/ca.pem");
    let hosts = ["kv-demo.vault.azure.net", "stdemo.blob.core.windows.net"];
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/hostAliases",
         "value": [{"ip": CONTROL_PLANE, "hostnames": hosts}]},
        {"op": "add", "path": "/spec/template/spec/volumes/-",
         "value": {"name": "azure", "configMap": {"name": "simulated-azure"}}},
        {"op": "add", "path": "/spec/template/spec/containers/0/volumeMounts/-",
         "value": {"name": "azure", "mountPath": CERTIFICATES}},
        {"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [
            {"name": "PYTHONPATH", "value": PACKAGES},
            {"name": "REQUESTS_CA_BUNDLE", "value": bundle},
            {"name": "CURL_CA_BUNDLE", "value": bundle},
        ]},
    ]);
    json!({"target": {"kind": "Deployment|Job"}, "patch": patch.to_string()})
}

/// Looks until the log of an application has both texts in it.
fn says(kubectl: &Kubectl<'_>, application: &Application, one: &str, other: &str) {
    wait_until(
        &format!("{} says {one:?} and {other:?}", application.workload),
        || {
            let log = kubectl.output(&["--namespace", NAME, "logs", application.workload]);
            let log = String::from_utf8_lossy(&log.stdout).into_owned();
            log.contains(one) && log.contains(other)
        },
    );
}

/// Runs the commands of the page as a reader; what they write.
fn follow(lab: &Lab, reader: &Path, application: &Application) -> String {
    let commands = blocks(&section(&application.page(), "Apply it"), "sh").concat();
    let commands = commands.replace("-n payments", &format!("-n {NAME}"));
    let path = std::env::var("PATH").expect("a PATH");
    let tools = toolset().path().join("bin");
    let output = Command::new("bash")
        .args(["-c", &format!("set -euo pipefail\n{commands}")])
        .current_dir(reader)
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("KUBECONFIG", lab.kubeconfig())
        .env("PASSWORD", VAULT_SECRET.1)
        .output()
        .expect("bash starts");
    assert!(output.status.success(), "{commands}: {output:?}");
    text(&output)
}

/// What the server answers to a login of `sa`, with the status.
fn login(kubectl: &Kubectl<'_>, password: &str) -> String {
    let user = format!("sa:{password}");
    let curl = [
        "curl",
        "-sS",
        "-w",
        "%{http_code}",
        "--user",
        &user,
        "http://127.0.0.1:1433/",
    ];
    let exec = ["--namespace", NAME, "exec", SQL.workload, "--"];
    text(&kubectl.output(&[&exec[..], &curl].concat()))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn folder(reader: &Path, name: &str) -> String {
    reader.join(name).display().to_string()
}
