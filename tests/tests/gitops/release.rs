//! The cluster whose Flux installs podid as a HelmRelease, as `podid bootstrap git` writes it. Tests take turns on it.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock};

use podid_tests::flux;
use podid_tests::workloads::team::TEAM;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::fleet::{CLUSTER_PATH, kustomization, reads_secrets};
use crate::platform::{Platform, VERSION};
use crate::statuses::Statuses;

/// How often everything is compared with what it should be, in place of an hour (Flux) and ten minutes (podid).
pub(crate) const INTERVAL: &str = "10s";
/// A profile that is there in every test.
pub(crate) const CHECKOUT: &str = "checkout";

/// The cluster with podid, a class, and the profile `checkout` that is ready.
pub(crate) struct Release {
    cluster: Cluster,
    pub(crate) platform: Platform,
    statuses: Statuses,
    /// The commit with which every turn begins.
    first_commit: String,
}

/// The cluster, for the one test whose turn it is.
pub(crate) struct Turn(MutexGuard<'static, Release>);

impl Release {
    pub(crate) fn enter() -> Turn {
        static RELEASE: OnceLock<Mutex<Release>> = OnceLock::new();
        let release = RELEASE.get_or_init(|| Mutex::new(Self::install()));
        let turn = match release.lock() {
            Ok(guard) => Turn(guard),
            Err(poisoned) => {
                release.clear_poison();
                let turn = Turn(poisoned.into_inner());
                turn.restore();
                turn
            }
        };
        // Pods of the turn before may be on their way out.
        let profile = format!("podidentityprofile/{CHECKOUT}");
        let state = "without pods";
        let kubectl = turn.kubectl();
        kubectl.wait_until(&profile, TEAM, state, |profile| {
            profile["status"]["boundPods"].as_u64().unwrap_or_default() == 0
        });
        turn
    }

    fn install() -> Self {
        let (cluster, platform, first_commit) = bootstrapped("release", 2);
        cluster
            .kubectl()
            .wait_for("crd/podidentityprofiles.podid.dev", "default");
        let statuses = Statuses::record(&cluster.lab);
        cluster.profile_is_ready(CHECKOUT);
        Self {
            cluster,
            platform,
            statuses,
            first_commit,
        }
    }
}

/// A new cluster whose Flux begins to install podid, with the profile `checkout`; where the chart comes from, and the
/// commit.
pub(crate) fn bootstrapped(name: &str, nodes: usize) -> (Cluster, Platform, String) {
    let cluster = Cluster::up(name, nodes);
    let platform = Platform::new();
    cluster.fleet.bootstrap(&platform.url(), VERSION);
    cluster.fleet.push(settings_of_a_lab);
    let checkout = [(CHECKOUT, Some(checkout()))];
    let commit = cluster.fleet.push_profiles(&checkout);
    flux::follow(&cluster.kubectl(), cluster.fleet.path(), CLUSTER_PATH);
    (cluster, platform, commit)
}

impl Deref for Turn {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0.cluster
    }
}

impl Turn {
    /// Undoes what a test that failed has left: of its commits, of what it kept off, of what it stopped.
    fn restore(&self) {
        let kubectl = self.kubectl();
        kubectl.run(&["uncordon", "node-0", "node-1"]);
        kubectl.run(&["--namespace", TEAM, "delete", "pods", "--all"]);
        let commit = self.fleet.restore(&self.0.first_commit);
        for name in [
            "flux-system",
            "podid-infrastructure",
            "podid-classes",
            "podid-profiles",
        ] {
            let object = format!("kustomization/{name}");
            let resume = [
                "patch",
                &object,
                "--type=merge",
                "--patch={\"spec\":{\"suspend\":false}}",
            ];
            kubectl.run(&[&["--namespace", flux::NAMESPACE][..], &resume].concat());
        }
        self.applied("podid-profiles", &commit);
        self.statuses().forget();
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.0.platform
    }

    /// Whether every status that any object of podid's ever had was right, by Flux's own rules.
    pub(crate) fn statuses(&self) -> &Statuses {
        &self.0.statuses
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.statuses().assert_right();
        }
    }
}

/// What the profile `checkout` may do.
pub(crate) fn checkout() -> Value {
    json!({"access": reads_secrets()})
}

/// What the platform team adds to the files of the bootstrap, as docs/flux.md tells it to: how podid reaches the
/// simulated Azure, and time that goes by faster.
fn settings_of_a_lab(cluster: &Path) {
    let layers = json!([
        {"op": "replace", "path": "/spec/interval", "value": INTERVAL},
    ]);
    let podid = kustomization(json!({
        "resources": ["facts.yaml", "infrastructure.yaml", "classes.yaml", "profiles.yaml"],
        "patches": [{"target": {"kind": "Kustomization"}, "patch": layers.to_string()}],
    }));
    fs::write(cluster.join("podid/kustomization.yaml"), podid.to_string()).unwrap();
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "podid", "namespace": "podid-system"},
        "spec": {"interval": INTERVAL, "values": values_of_a_lab()},
    });
    let infrastructure = kustomization(json!({
        "resources": ["namespace.yaml", "source.yaml", "release.yaml"],
        "patches": [{"patch": release.to_string()}],
    }));
    let file = cluster.join("podid/infrastructure/kustomization.yaml");
    fs::write(file, infrastructure.to_string()).unwrap();
}

/// Values of the chart for a lab: where Azure is, and how often to look there.
pub(crate) fn values_of_a_lab() -> Value {
    json!({"operator": {
        "settings": {
            "caFile": "/etc/azure-ca/ca.pem",
            "interval": INTERVAL,
            "targetInterval": INTERVAL,
        },
        "hostAliases": [{
            "ip": podid_lab::layout::CONTROL_PLANE,
            "hostnames": ["management.azure.com", "login.microsoftonline.com"],
        }],
        "extraVolumes": [{"name": "azure", "configMap": {"name": "simulated-azure"}}],
        "extraVolumeMounts": [{"name": "azure", "mountPath": "/etc/azure-ca", "readOnly": true}],
    }})
}
