//! What `podid plan` prints about commits is what the operator then does: the writes that it counts are those
//! that Azure has received.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, group, vault};
use podid_lab::layout::{
    KUBELET_PRINCIPAL, LOCATION, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION, TENANT,
};

/// A repository with the class of a scene, and an overlay with its profiles.
struct Repository<'a> {
    folder: tempfile::TempDir,
    scene: &'a Scene,
}

impl<'a> Repository<'a> {
    fn new(scene: &'a Scene) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder, scene };
        repository.git(&["init", "--quiet"]);
        repository.put("kustomization.yaml", "resources: [class.yaml, overlay]\n");
        let class = json!({
            "apiVersion": "podid.dev/v1alpha1",
            "kind": "PodIdentityClass",
            "metadata": { "name": scene.namespace },
            "spec": class_spec(&scene.namespace),
        });
        repository.put("class.yaml", &class.to_string());
        repository.put("base/kustomization.yaml", "resources: []\n");
        // Flux labels what it applies.
        let overlay = format!(
            "namespace: {0}\nresources: [../base]\npatches:\n  - path: class-name.yaml\n    target: {{kind: PodIdentityProfile}}\n\
             labels:\n  - pairs:\n      kustomize.toolkit.fluxcd.io/name: {0}\n      kustomize.toolkit.fluxcd.io/namespace: flux-system\n",
            scene.namespace
        );
        repository.put("overlay/kustomization.yaml", &overlay);
        let patch = format!(
            "apiVersion: podid.dev/v1alpha1\nkind: PodIdentityProfile\nmetadata: {{name: any}}\nspec:\n  className: {}\n",
            scene.namespace
        );
        repository.put("overlay/class-name.yaml", &patch);
        let cluster = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": { "name": scene.namespace, "namespace": "flux-system" },
            "spec": {
                "path": "./overlay",
                "prune": true,
                "sourceRef": { "kind": "GitRepository", "name": "flux-system" },
            },
        });
        repository.put("cluster/profiles.yaml", &cluster.to_string());
        repository.commit();
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let author = ["-c", "user.name=Shop", "-c", "user.email=shop@example.com"];
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args(author)
            .args(arguments)
            .output()
            .expect("git starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "Next"]);
    }

    /// Writes a profile `cart` with this spec into the base, or takes it away, and commits that.
    fn cart(&self, spec: Option<Value>) {
        let Some(spec) = spec else {
            self.put("base/kustomization.yaml", "resources: []\n");
            return self.commit();
        };
        let cart = json!({
            "apiVersion": "podid.dev/v1alpha1",
            "kind": "PodIdentityProfile",
            "metadata": { "name": "cart" },
            "spec": spec,
        });
        self.put("base/cart.yaml", &cart.to_string());
        self.put("base/kustomization.yaml", "resources: [cart.yaml]\n");
        self.commit();
    }

    /// What `podid plan` says about the last commit.
    fn plan(&self) -> Value {
        self.podid(&[
            "HEAD~1..HEAD".as_ref(),
            "--repo".as_ref(),
            self.path().as_ref(),
        ])
    }

    /// What `podid plan` says of the files, compared with the cluster.
    fn plan_live(&self) -> Value {
        let (cluster, kubeconfig) = (
            self.path().join("cluster"),
            self.scene.stage.lab.kubeconfig(),
        );
        let kubeconfig: &Path = kubeconfig.as_ref();
        let arguments: [&OsStr; 4] = [
            cluster.as_ref(),
            "--live".as_ref(),
            "--kubeconfig".as_ref(),
            kubeconfig.as_ref(),
        ];
        self.podid(&arguments)
    }

    fn podid(&self, arguments: &[&OsStr]) -> Value {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let kubectl = self.scene.stage.lab.kubectl(&[]).expect("kubectl");
        let base: [&OsStr; 5] = [
            "podid".as_ref(),
            "plan".as_ref(),
            "--kustomize".as_ref(),
            kubectl.get_program(),
            "--output=json".as_ref(),
        ];
        let line = [&base[..], arguments].concat();
        let run = || podid::run(line.into_iter().map(OsString::from), &mut out, &mut err);
        // It waits for the cluster by itself, which the thread of an asynchronous test cannot.
        let exit = std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
        let said = String::from_utf8_lossy(&err);
        assert_eq!(exit, podid::Exit::Changes, "{said}");
        serde_json::from_slice(&out).expect("JSON")
    }

    /// Applies the overlay as a person does.
    fn apply(&self) {
        let overlay = self.path().join("overlay").display().to_string();
        let arguments = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "-k",
            &overlay,
        ];
        let output = self
            .scene
            .stage
            .lab
            .kubectl(&arguments)
            .expect("kubectl")
            .output();
        let output = output.expect("kubectl starts");
        assert!(output.status.success(), "{output:?}");
    }
}

/// The kubelet identity gets no role on the group of the nodes here: another test may have brought it.
fn class_spec(namespace: &str) -> Value {
    json!({
        "clusterName": "lab",
        "tenantId": TENANT,
        "subscriptionId": SUBSCRIPTION,
        "resourceGroup": RESOURCE_GROUP,
        "location": LOCATION,
        "nodeResourceGroup": NODE_GROUP,
        "nodeGrants": {
            "principalId": KUBELET_PRINCIPAL,
            "virtualMachineContributor": "None",
        },
        "limits": {
            "namespaces": { "names": [namespace] },
            "access": [{ "role": READS_SECRETS, "scopes": [group(RESOURCE_GROUP)] }],
        },
    })
}

/// Writes by operation, as the plan counts them.
fn planned(plan: &Value) -> BTreeMap<String, u64> {
    let operations = [
        ("identityPuts", "identity.put"),
        ("identityDeletes", "identity.delete"),
        ("rolePuts", "roleassignment.put"),
        ("roleDeletes", "roleassignment.delete"),
    ];
    let mut counted = BTreeMap::new();
    for writes in plan["azure"].as_object().expect("writes").values() {
        for (field, operation) in operations {
            *counted.entry(operation.to_owned()).or_default() += writes[field].as_u64().unwrap();
        }
    }
    counted.retain(|_, count| *count > 0);
    counted
}

/// Writes by operation, as Azure has received them; none of them failed.
async fn received(scene: &Scene) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for call in scene.writes().await {
        let (operation, status) = call.split_once(' ').expect("a status");
        assert!(status.starts_with('2'), "{call}");
        *counted.entry(operation.to_owned()).or_default() += 1;
    }
    counted
}

/// Specs of a profile, one after the other: a right, another one and a tag, another binding, another identity.
fn specs(scene: &Scene) -> [Value; 4] {
    let reads = |scope: String| json!({ "role": READS_SECRETS, "scope": scope });
    [
        json!({ "access": [reads(vault())] }),
        json!({ "access": [reads(vault()), reads(group(RESOURCE_GROUP))],
                "identity": { "tags": { "team": "shop" } } }),
        json!({ "access": [reads(group(RESOURCE_GROUP))],
                "binding": { "selector": "basket" } }),
        json!({ "access": [reads(group(RESOURCE_GROUP))],
                "identity": { "name": format!("{}-other", scene.namespace) } }),
    ]
}

/// The operator writes what `plan` counts, from a profile's first commit to its last.
async fn follow<'a>(scene: &'a Scene, plan: impl Fn(&Repository<'a>) -> Value) {
    scene.class(class_spec(&scene.namespace)).await;
    let repository = Repository::new(scene);
    for spec in specs(scene) {
        repository.cart(Some(spec));
        let plan = plan(&repository);
        scene.stage.heal().await;
        repository.apply();
        scene.until("cart", "Ready", "True").await;
        assert_eq!(received(scene).await, planned(&plan), "{plan:#}");
    }
    repository.cart(None);
    let plan = plan(&repository);
    scene.stage.heal().await;
    scene.delete("cart").await;
    assert_eq!(received(scene).await, planned(&plan), "{plan:#}");
}

#[tokio::test]
async fn the_operator_does_what_was_printed_and_nothing_else() {
    let scene = Scene::without_class("planned").await;
    follow(&scene, Repository::plan).await;
}

#[tokio::test]
async fn what_differs_from_the_cluster_is_what_the_operator_does() {
    let scene = Scene::without_class("planned-live").await;
    follow(&scene, |repository| {
        let plan = repository.plan_live();
        let [profile] = plan["profiles"].as_array().unwrap().as_slice() else {
            panic!("{plan:#}")
        };
        assert_eq!(profile["namespace"], scene.namespace.as_str());
        plan
    })
    .await;
}
