//! What people may do who have the roles that every cluster has: asked for in their names, and
//! granted or refused by the API server.

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cases;
use crate::fixture::{Space, eventually};

/// The kinds that teams only look at, with a spec that is taken from whoever may write them.
pub(crate) fn platform_kinds() -> [(&'static str, Value); 4] {
    let id = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n";
    [
        (
            "AzureIdentity",
            json!({"type": 0, "resourceID": id, "clientID": "c11e2700-0000-4000-8000-000000000001"}),
        ),
        (
            "AzureIdentityBinding",
            json!({"azureIdentity": "i", "selector": "s"}),
        ),
        ("AzureAssignedIdentity", json!({"pod": "p"})),
        (
            "AzurePodIdentityException",
            json!({"podLabels": {"app": "x"}}),
        ),
    ]
}

fn subjects(user: &str) -> Option<Vec<Subject>> {
    Some(vec![Subject {
        kind: "User".into(),
        name: user.into(),
        api_group: Some("rbac.authorization.k8s.io".into()),
        ..Subject::default()
    }])
}

fn cluster_role(name: &str) -> RoleRef {
    RoleRef {
        api_group: Some("rbac.authorization.k8s.io".into()),
        kind: "ClusterRole".into(),
        name: name.into(),
    }
}

/// The namespace as one sees it who has this role in it, and nothing else.
async fn holder(space: &Space, role: &str) -> Space {
    let user = format!("{role}-of-{}", space.name);
    let binding = RoleBinding {
        metadata: ObjectMeta {
            name: Some(user.clone()),
            ..ObjectMeta::default()
        },
        role_ref: cluster_role(role),
        subjects: subjects(&user),
    };
    let bindings: Api<RoleBinding> = Api::namespaced(space.client.clone(), &space.name);
    bindings
        .create(&PostParams::default(), &binding)
        .await
        .unwrap();
    let holder = space.as_user(&user).await;
    // A controller of the cluster adds the rights to the role, and the API server learns of it.
    let reads = async || list(&holder, "PodIdentityProfile").await.ok();
    eventually(&format!("{role} reading profiles"), reads).await;
    holder
}

async fn list(space: &Space, kind: &str) -> Result<usize, String> {
    let answer = space.api(kind).list(&ListParams::default()).await;
    answer
        .map(|list| list.items.len())
        .map_err(|error| error.to_string())
}

async fn create(space: &Space, kind: &str, name: &str, spec: Value) -> Result<(), String> {
    let api_version = match kind.starts_with("Pod") {
        true => "podid.dev/v1alpha1",
        false => "aadpodidentity.k8s.io/v1",
    };
    let object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    space.create(kind, object, false).await.map(|_| ())
}

async fn patch(space: &Space, kind: &str, name: &str) -> Result<(), String> {
    let note = Patch::Merge(json!({"metadata": {"annotations": {"note": "x"}}}));
    let answer = space
        .api(kind)
        .patch(name, &PatchParams::default(), &note)
        .await;
    answer.map(|_| ()).map_err(|error| error.to_string())
}

async fn delete(space: &Space, kind: &str, name: &str) -> Result<(), String> {
    let answer = space.api(kind).delete(name, &DeleteParams::default()).await;
    answer.map(|_| ()).map_err(|error| error.to_string())
}

fn forbidden(answer: Result<(), String>, what: &str) {
    let message = answer.expect_err(what);
    assert!(message.contains("forbidden"), "{what}: {message}");
}

#[tokio::test]
async fn view_reads_and_writes_nothing() {
    let space = Space::new("people-view").await;
    create(
        &space,
        "PodIdentityProfile",
        "shop",
        cases::profile(json!({})),
    )
    .await
    .unwrap();
    let viewer = holder(&space, "view").await;
    let kinds = platform_kinds().into_iter();
    let kinds = kinds.chain([("PodIdentityProfile", cases::profile(json!({})))]);
    for (kind, spec) in kinds {
        list(&viewer, kind).await.unwrap();
        forbidden(create(&viewer, kind, "new", spec).await, kind);
    }
    forbidden(patch(&viewer, "PodIdentityProfile", "shop").await, "patch");
    forbidden(
        delete(&viewer, "PodIdentityProfile", "shop").await,
        "delete",
    );
}

#[tokio::test]
async fn edit_and_admin_write_profiles_and_nothing_that_knows_no_limits() {
    let space = Space::new("people-edit").await;
    for (kind, spec) in platform_kinds() {
        create(&space, kind, "theirs", spec).await.unwrap();
    }
    for role in ["edit", "admin"] {
        let writer = holder(&space, role).await;
        let kind = "PodIdentityProfile";
        create(&writer, kind, role, cases::profile(json!({})))
            .await
            .unwrap();
        patch(&writer, kind, role).await.unwrap();
        let status = Patch::Merge(json!({"status": {"boundPods": 7}}));
        let answer = writer
            .api(kind)
            .patch_status(role, &PatchParams::default(), &status)
            .await;
        let answer = answer.map(|_| ()).map_err(|error| error.to_string());
        forbidden(answer, &format!("{role}: status"));
        delete(&writer, kind, role).await.unwrap();
        for (kind, spec) in platform_kinds() {
            let what = format!("{role}: {kind}");
            assert_eq!(list(&writer, kind).await, Ok(1), "{what}");
            forbidden(create(&writer, kind, "new", spec).await, &what);
            forbidden(patch(&writer, kind, "theirs").await, &what);
            forbidden(delete(&writer, kind, "theirs").await, &what);
        }
        let class = cases::class(json!({}));
        forbidden(
            create(&writer, "PodIdentityClass", &space.name, class).await,
            role,
        );
    }
}

#[tokio::test]
async fn classes_are_seen_by_those_who_view_the_whole_cluster() {
    let space = Space::new("people-classes").await;
    let viewer = holder(&space, "view").await;
    let before = list(&viewer, "PodIdentityClass").await;
    forbidden(before.map(|_| ()), "a role in one namespace");
    let user = format!("view-of-{}", space.name);
    let binding = ClusterRoleBinding {
        metadata: ObjectMeta {
            name: Some(user.clone()),
            ..ObjectMeta::default()
        },
        role_ref: cluster_role("view"),
        subjects: subjects(&user),
    };
    let bindings: Api<ClusterRoleBinding> = Api::all(space.client.clone());
    bindings
        .create(&PostParams::default(), &binding)
        .await
        .unwrap();
    let reads = async || list(&viewer, "PodIdentityClass").await.ok();
    eventually("reading classes", reads).await;
    let class = cases::class(json!({}));
    forbidden(
        create(&viewer, "PodIdentityClass", &space.name, class).await,
        "write",
    );
    bindings
        .delete(&user, &DeleteParams::default())
        .await
        .unwrap();
}
