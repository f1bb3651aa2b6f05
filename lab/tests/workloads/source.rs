//! The stand-in for source-controller under the real kustomize-controller and helm-controller.

use std::path::Path;

use git2::{IndexEntry, IndexTime, Oid, Repository, Signature};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::space::{Space, wait};

const SOURCES: &str = "source.toolkit.fluxcd.io/v1";

/// A bare repository of the test.
struct Fleet {
    folder: tempfile::TempDir,
    repository: Repository,
}

impl Fleet {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        Self { folder, repository }
    }

    fn url(&self) -> String {
        format!("ssh://localhost{}", self.folder.path().display())
    }

    /// Commits these files, and no others, to a branch.
    fn push(&self, branch: &str, files: &[(&str, &str)]) -> Oid {
        let mut index = git2::Index::new().unwrap();
        for (path, text) in files {
            let entry = IndexEntry {
                ctime: IndexTime::new(0, 0),
                mtime: IndexTime::new(0, 0),
                dev: 0,
                ino: 0,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                file_size: 0,
                id: self.repository.blob(text.as_bytes()).unwrap(),
                flags: 0,
                flags_extended: 0,
                path: Path::new(path).to_str().unwrap().into(),
            };
            index.add(&entry).unwrap();
        }
        let tree = index.write_tree_to(&self.repository).unwrap();
        let tree = self.repository.find_tree(tree).unwrap();
        let reference = format!("refs/heads/{branch}");
        let parent = self.repository.find_reference(&reference).ok();
        let parent = parent.map(|found| found.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let author = Signature::now("test", "test@podid.dev").unwrap();
        let target = Some(reference.as_str());
        self.repository
            .commit(target, &author, &author, "change", &tree, &parents)
            .unwrap()
    }
}

fn config_map(namespace: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app, namespace: {namespace}}}\n\
         data: {{key: {value}}}\n"
    )
}

async fn create(space: &Space, api_version: &str, kind: &str, plural: &str, object: Value) {
    let mut object = object;
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let api = space.dynamic(api_version, kind, plural);
    api.create(&PostParams::default(), &object).await.unwrap();
}

async fn repository(space: &Space, name: &str, spec: Value) {
    let object = json!({"metadata": {"name": name}, "spec": spec});
    create(space, SOURCES, "GitRepository", "gitrepositories", object).await;
}

/// Waits until an object's `Ready` condition is as wanted; returns its message.
async fn ready(api: &Api<DynamicObject>, name: &str, wanted: &str) -> String {
    let find = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array()?;
        let found = conditions.iter().find(|found| found["type"] == "Ready")?;
        (found["status"] == wanted).then(|| found["message"].as_str().unwrap_or("").to_owned())
    };
    let holds = |object: Option<&DynamicObject>| object.and_then(find).is_some();
    let object = wait(api, name, &format!("to be Ready={wanted}"), holds).await;
    object.as_ref().and_then(find).unwrap()
}

async fn config_map_has(space: &Space, name: &str, value: &str) {
    let maps: Api<ConfigMap> = space.api();
    wait(
        &maps,
        name,
        &format!("to hold {value}"),
        |map: Option<&ConfigMap>| {
            map.and_then(|map| map.data.as_ref()?.get("key"))
                .is_some_and(|found| found == value)
        },
    )
    .await;
}

#[tokio::test]
async fn a_push_is_applied() {
    let (space, fleet) = (Space::new().await, Fleet::new());
    let tree = |value| [("apps/app.yaml", config_map(&space.namespace, value))];
    let push = |value| {
        let files = tree(value);
        fleet.push(
            "main",
            &files.each_ref().map(|(path, text)| (*path, text.as_str())),
        )
    };
    push("one");
    let spec = json!({"interval": "1h", "url": fleet.url(), "ref": {"branch": "main"}});
    repository(&space, "fleet", spec).await;
    let kustomization = json!({
        "metadata": {"name": "apps"},
        "spec": {
            "interval": "1h", "path": "./apps", "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        },
    });
    let api = "kustomize.toolkit.fluxcd.io/v1";
    create(
        &space,
        api,
        "Kustomization",
        "kustomizations",
        kustomization,
    )
    .await;
    config_map_has(&space, "app", "one").await;
    let commit = push("two");
    config_map_has(&space, "app", "two").await;
    let sources = space.dynamic(SOURCES, "GitRepository", "gitrepositories");
    let message = ready(&sources, "fleet", "True").await;
    assert!(
        message.contains(&format!("main@sha1:{commit}")),
        "{message}"
    );
}

#[tokio::test]
async fn a_chart_is_installed_and_upgraded_with_its_version() {
    let (space, fleet) = (Space::new().await, Fleet::new());
    let push = |version: &str, value: &str| {
        let chart = format!("apiVersion: v2\nname: app\nversion: {version}\n");
        let values = format!("key: {value}\n");
        let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: chart}\n\
                        data: {key: {{ .Values.key }}}\n";
        fleet.push(
            "main",
            &[
                ("charts/app/Chart.yaml", &chart),
                ("charts/app/values.yaml", &values),
                ("charts/app/templates/map.yaml", template),
            ],
        );
    };
    push("1.0.0", "one");
    let spec = json!({"interval": "1h", "url": fleet.url(), "ref": {"branch": "main"}});
    repository(&space, "fleet", spec).await;
    let release = json!({
        "metadata": {"name": "app"},
        "spec": {"interval": "1h", "chart": {"spec": {
            "chart": "charts/app", "interval": "1h",
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        }}},
    });
    let api = "helm.toolkit.fluxcd.io/v2";
    create(&space, api, "HelmRelease", "helmreleases", release).await;
    config_map_has(&space, "chart", "one").await;
    push("1.1.0", "two");
    config_map_has(&space, "chart", "two").await;
}

#[tokio::test]
async fn a_missing_branch_is_told_and_heals_by_a_push() {
    let (space, fleet) = (Space::new().await, Fleet::new());
    let spec = json!({"interval": "1h", "url": fleet.url(), "ref": {"branch": "later"}});
    repository(&space, "fleet", spec).await;
    let sources = space.dynamic(SOURCES, "GitRepository", "gitrepositories");
    let message = ready(&sources, "fleet", "False").await;
    assert!(message.contains("no branch later"), "{message}");
    fleet.push("later", &[("a.yaml", "{}")]);
    ready(&sources, "fleet", "True").await;
}

#[tokio::test]
async fn what_the_stand_in_cannot_do_is_refused() {
    let (space, fleet) = (Space::new().await, Fleet::new());
    fleet.push("main", &[("a.yaml", "{}")]);
    let sources = space.dynamic(SOURCES, "GitRepository", "gitrepositories");
    for (name, spec, word) in [
        (
            "outside",
            json!({"url": "https://git.example.com/a.git"}),
            "no way out",
        ),
        (
            "nowhere",
            json!({"url": "ssh://localhost/no/such/folder"}),
            "/no/such/folder",
        ),
        (
            "range",
            json!({"url": fleet.url(), "ref": {"semver": ">1"}}),
            "spec.ref.semver",
        ),
        (
            "ignore",
            json!({"url": fleet.url(), "ref": {"branch": "main"}, "ignore": "a[z-a]"}),
            "spec.ignore",
        ),
    ] {
        let mut spec = spec;
        spec["interval"] = json!("1h");
        repository(&space, name, spec).await;
        let message = ready(&sources, name, "False").await;
        assert!(message.contains(word), "{name}: {message}");
    }
}

#[tokio::test]
async fn a_request_to_reconcile_is_acknowledged() {
    let (space, fleet) = (Space::new().await, Fleet::new());
    fleet.push("main", &[("a.yaml", "{}")]);
    let spec = json!({"interval": "1h", "url": fleet.url(), "ref": {"branch": "main"}});
    repository(&space, "fleet", spec).await;
    let sources = space.dynamic(SOURCES, "GitRepository", "gitrepositories");
    ready(&sources, "fleet", "True").await;
    let ask = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "t1"}}});
    sources
        .patch("fleet", &PatchParams::default(), &Patch::Merge(ask))
        .await
        .unwrap();
    let handled = |object: Option<&DynamicObject>| {
        object.is_some_and(|found| found.data["status"]["lastHandledReconcileAt"] == "t1")
    };
    wait(&sources, "fleet", "to acknowledge the request", handled).await;
}

#[tokio::test]
async fn a_repository_of_another_user_is_served() {
    let (space, fleet) = (Space::new().await, Fleet::new());
    fleet.push("main", &[("a.yaml", "{}")]);
    let (nobody, folder) = (Some(65534), fleet.folder.path());
    std::os::unix::fs::chown(folder, nobody, nobody).unwrap();
    let spec = json!({"interval": "1h", "url": fleet.url(), "ref": {"branch": "main"}});
    repository(&space, "fleet", spec).await;
    let sources = space.dynamic(SOURCES, "GitRepository", "gitrepositories");
    ready(&sources, "fleet", "True").await;
}
