//! A cluster whose nodes run containers, with Flux, podid's images and nothing of podid.

use std::path::PathBuf;

use podid_lab::{Flux, Lab, Lifetime, Network, NodeAgent, NodeKind, UpOptions, install};
use podid_tests::azure;
use podid_tests::kubectl::Kubectl;
use podid_tests::workloads::team::TEAM;
use serde_json::{Value, json};

use crate::fleet::Fleet;

/// Namespace of podid's own objects.
pub(crate) const SYSTEM: &str = install::NAMESPACE;

/// A cluster, and the repository that its Flux follows.
pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    pub(crate) fleet: Fleet,
}

/// The folder that `podid-image --output` has filled.
pub(crate) fn images() -> PathBuf {
    let folder = std::env::var_os("PODID_TEST_IMAGES");
    PathBuf::from(folder.expect("run this ring with `cargo xtask test gitops`"))
}

impl Cluster {
    pub(crate) fn up(name: &str, nodes: usize) -> Self {
        let lab = Lab::up(UpOptions {
            name: format!("gitops-{name}-{}", std::process::id()),
            nodes: vec![NodeKind::Uniform; nodes],
            node_agent: NodeAgent::Kubelet,
            network: Network::Bridge,
            flux: Flux::All,
            lifetime: Lifetime::Caller,
            ..UpOptions::default()
        });
        let lab = lab.unwrap();
        install::import(&lab, &install::archives(&images())).unwrap();
        // Namespace podid-system, with the certificates of the simulated Azure.
        install::trust_azure(&lab, SYSTEM).unwrap();
        let cluster = Self {
            lab,
            fleet: Fleet::new(),
        };
        let metadata = json!({"name": TEAM});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        cluster.kubectl().apply(&namespace);
        cluster
    }

    pub(crate) fn kubectl(&self) -> Kubectl<'_> {
        Kubectl::of(&self.lab)
    }

    /// Ids of the identities in Azure, and its role assignments in words.
    pub(crate) fn in_azure(&self) -> Vec<String> {
        let state = azure::admin(&self.lab, "GET", "/state");
        let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
        let identities = list("identities")
            .into_iter()
            .map(|one| one["id"].to_string());
        let rights = list("roleAssignments").into_iter().map(|one| {
            let words = ["principalId", "role", "scope"].map(|field| one[field].to_string());
            words.join(" ")
        });
        let mut all: Vec<String> = identities.chain(rights).collect();
        all.sort();
        all
    }

    /// Waits until a Kustomization has applied a commit, and all that it waits for is ready.
    pub(crate) fn applied(&self, kustomization: &str, commit: &str) {
        let object = format!("kustomization/{kustomization}");
        let state = format!("ready with {commit}");
        self.kubectl()
            .wait_until(&object, podid_tests::flux::NAMESPACE, &state, |object| {
                let status = &object["status"];
                let applied = status["lastAppliedRevision"].as_str().unwrap_or_default();
                applied.ends_with(commit) && condition(object, "Ready")["status"] == "True"
            });
    }

    /// Waits until a Kustomization has failed with a commit; what it says.
    pub(crate) fn failed(&self, kustomization: &str, commit: &str) -> String {
        let object = format!("kustomization/{kustomization}");
        let state = format!("failed with {commit}");
        let object =
            self.kubectl()
                .wait_until(&object, podid_tests::flux::NAMESPACE, &state, |object| {
                    let attempted = object["status"]["lastAttemptedRevision"].as_str();
                    attempted.unwrap_or_default().ends_with(commit)
                        && condition(object, "Ready")["status"] == "False"
                });
        let said = condition(&object, "Ready")["message"].clone();
        said.as_str().unwrap().to_owned()
    }

    /// Waits until a profile is ready as it is written now.
    pub(crate) fn profile_is_ready(&self, name: &str) -> Value {
        let object = format!("podidentityprofile/{name}");
        self.kubectl()
            .wait_until(&object, TEAM, "ready", |profile| {
                let ready = condition(profile, "Ready");
                ready["status"] == "True"
                    && ready["observedGeneration"] == profile["metadata"]["generation"]
            })
    }
}

/// A condition of an object.
pub(crate) fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == kind);
    found.cloned().unwrap_or_default()
}
