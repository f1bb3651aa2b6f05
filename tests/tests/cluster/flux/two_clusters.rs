//! Two clusters follow one repository and share one subscription, and do not fight.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use podid_lab::layout::{
    LOCATION, NODE_GROUP, OPERATOR_CLIENT_ID, RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};
use podid_lab::{Flux, Lab, Side};
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::wait_until;
use podid_tests::{azure, fleet, flux, programs};
use serde_json::{Value, json};

use super::{lab, namespaces};

const CLUSTERS: [&str; 2] = ["one", "two"];
const TEAM: &str = "payments";
/// How often each operator looks at its profiles.
const INTERVAL: &str = "2s";

/// A cluster, and the operator that works for it in the first cluster's Azure.
struct Site {
    lab: Lab,
    operator: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.operator.kill();
        let _ = self.operator.wait();
    }
}

impl Site {
    fn kubectl(&self) -> Kubectl<'_> {
        Kubectl::of(&self.lab)
    }

    /// What a profile says of its `Ready`.
    fn ready(&self, profile: &str) -> Option<Value> {
        let object = self
            .kubectl()
            .find(&format!("podidentityprofile/{profile}"), TEAM)?;
        let conditions = object["status"]["conditions"].as_array()?.iter();
        let mut conditions = conditions.filter(|one| one["type"] == "Ready");
        conditions.next().cloned()
    }

    fn is_ready(&self, profile: &str) -> bool {
        self.ready(profile)
            .is_some_and(|ready| ready["status"] == "True")
    }
}

/// The operator of a cluster, with `azure`'s Azure.
fn operator(lab: &Lab, azure: &Lab) -> Child {
    let account = ("podid-system", "podid-operator");
    let kubeconfig = lab.service_account_kubeconfig(account.0, account.1, Side::Outside);
    // In that Azure only the accounts of its own cluster are known.
    let token = azure.service_account_token(account.0, account.1, "api://AzureADTokenExchange");
    let url = |port: u16| format!("https://127.0.0.1:{port}");
    let ports = azure.endpoints();
    let log = fs::File::create(lab.log("podid-operator")).unwrap();
    let settings = [
        ("KUBECONFIG", kubeconfig.unwrap().display().to_string()),
        ("FEDERATED_TOKEN_FILE", token.unwrap().display().to_string()),
        ("ARM_ENDPOINT", url(ports.arm)),
        ("AUTHORITY_HOST", url(ports.entra)),
        ("CA_FILE", azure.dir().ca_bundle().display().to_string()),
        ("TENANT_ID", TENANT.to_owned()),
        ("CLIENT_ID", OPERATOR_CLIENT_ID.to_owned()),
        ("ADMIN_ADDR", "127.0.0.1:0".to_owned()),
        ("REPLICA", "podid-operator-0".to_owned()),
        ("INTERVAL", INTERVAL.to_owned()),
    ];
    let settings = settings.map(|(name, value)| (format!("PODID_{name}"), value));
    let mut command = Command::new(programs::program("podid-operator"));
    command.envs(settings).stdin(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

fn site(cluster: &str, azure: Option<&Lab>) -> Site {
    let lab = lab(&format!("cluster-{cluster}"), Flux::Kustomize);
    namespaces(&Kubectl::of(&lab), &[TEAM]);
    let operator = operator(&lab, azure.unwrap_or(&lab));
    Site { lab, operator }
}

fn class(cluster: &str) -> Value {
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityClass",
        "metadata": {"name": "standard"},
        "spec": {
            "clusterName": cluster,
            "tenantId": TENANT,
            "subscriptionId": SUBSCRIPTION,
            "resourceGroup": RESOURCE_GROUP,
            "location": LOCATION,
            "nodeResourceGroup": NODE_GROUP,
            "limits": {"namespaces": {"names": [TEAM]}},
        },
    })
}

fn profile(name: &str, identity: Option<&str>) -> Value {
    let mut spec = json!({"className": "standard"});
    if let Some(identity) = identity {
        spec["identity"] = json!({"name": identity});
    }
    json!({
        "apiVersion": "podid.dev/v1alpha1",
        "kind": "PodIdentityProfile",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": spec,
    })
}

/// A cluster's folder: its class, and these folders of profiles.
fn cluster_folder(clone: &Path, cluster: &str, profiles: &[&str]) {
    let folder = clone.join("clusters").join(cluster);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("class.yaml"), class(cluster).to_string()).unwrap();
    let shared = profiles.iter().map(|name| format!("../../profiles/{name}"));
    let resources: Vec<String> = shared.chain(["class.yaml".to_owned()]).collect();
    let list = kustomization(&resources);
    fs::write(folder.join("kustomization.yaml"), list).unwrap();
}

fn kustomization(resources: &[String]) -> String {
    let list = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
    });
    list.to_string()
}

/// Two profiles that both clusters apply: one as usual, and one that names an identity that only one cluster can have.
fn shared_profiles(clone: &Path) {
    for (name, identity) in [("checkout", None), ("contested", Some("contested"))] {
        let folder = clone.join("profiles").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("profile.yaml"),
            profile(name, identity).to_string(),
        )
        .unwrap();
        let list = kustomization(&["profile.yaml".to_owned()]);
        fs::write(folder.join("kustomization.yaml"), list).unwrap();
    }
    for cluster in CLUSTERS {
        cluster_folder(clone, cluster, &["checkout", "contested"]);
    }
}

/// Names of podid's identities in Azure.
fn identities(lab: &Lab) -> Vec<String> {
    let state = azure::admin(lab, "GET", "/state");
    let all = state["identities"].as_array().unwrap().iter();
    let last = |one: &Value| one["id"].as_str()?.rsplit('/').next().map(str::to_owned);
    let ours = all.filter_map(last).filter(|name| name != "lab-agentpool");
    let mut names: Vec<String> = ours.collect();
    names.sort();
    names
}

#[test]
fn one_repository_and_one_subscription_serve_two_clusters() {
    podid_runtime::process::init();
    let first = site("one", None);
    let second = site("two", Some(&first.lab));
    let sites = [&first, &second];
    let bare = fleet::bare();
    fleet::pushed(bare.path(), shared_profiles);
    for (site, cluster) in sites.into_iter().zip(CLUSTERS) {
        flux::follow(&site.kubectl(), bare.path(), &format!("clusters/{cluster}"));
    }
    wait_until("both clusters have an identity of their own", || {
        sites.iter().all(|site| site.is_ready("checkout"))
    });
    wait_until(
        "one of them has the contested identity, and the other says who",
        || {
            let ready = sites.iter().filter(|site| site.is_ready("contested"));
            let told = sites.iter().filter_map(|site| site.ready("contested"));
            let mut told = told.filter(|ready| ready["status"] == "False");
            ready.count() == 1
                && told.any(|ready| ready["message"].to_string().contains("belongs to"))
        },
    );
    nobody_writes(&first.lab, &CLUSTERS);
    let before = identities(&first.lab);
    let of = |cluster: &str| {
        let prefix = format!("{cluster}-{TEAM}-checkout-");
        before
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .count()
    };
    assert_eq!(
        (before.len(), of("one"), of("two")),
        (3, 1, 1),
        "{before:?}"
    );

    // The second cluster gives its profile up; the first one's stays.
    fleet::pushed(bare.path(), |clone| {
        cluster_folder(clone, "two", &["contested"])
    });
    second
        .kubectl()
        .wait_until_gone("podidentityprofile/checkout", TEAM);
    let after = identities(&first.lab);
    assert!(
        !after
            .iter()
            .any(|name| name.starts_with("two-payments-checkout")),
        "{after:?}"
    );
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(first.is_ready("checkout"));
    nobody_writes(&first.lab, &["one"]);
}

/// The operators of these clusters have looked several times, and no operator has written.
fn nobody_writes(lab: &Lab, clusters: &[&str]) {
    azure::forget_calls(lab);
    wait_until("the operators have looked several times", || {
        let calls = azure::calls(lab);
        clusters.iter().all(|cluster| {
            let identity = format!("/{cluster}-{TEAM}-checkout-");
            let of_cluster = |(operation, resource): &&(String, String)| {
                operation == "arm.identity.get" && resource.contains(&identity)
            };
            calls.iter().filter(of_cluster).count() >= 5
        })
    });
    assert_eq!(azure::writes(lab), [""; 0]);
}
