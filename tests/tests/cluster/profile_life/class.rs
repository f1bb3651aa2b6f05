//! A class is ready when Azure has confirmed it, and its profiles wait until then.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_lab::layout::{KUBELET_PRINCIPAL, RESOURCE_GROUP};
use serde_json::{Value, json};

use super::scene::{READS_SECRETS, Scene, access, conditions, group, says, status, vault};
use crate::fixture::eventually;
use crate::stage::{SET_NODES, VM_NODES};

/// The class's `Ready` once it says for the class as it is written now what `status` is.
pub(super) async fn class_ready(scene: &Scene, status: &str) -> Condition {
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    eventually(&format!("Ready={status} of the class"), async || {
        let class = classes.get(&scene.namespace).await.unwrap();
        let conditions = class.status.unwrap_or_default().conditions;
        let current = class.metadata.generation;
        conditions
            .into_iter()
            .flatten()
            .find(|c| c.type_ == "Ready" && c.status == status && c.observed_generation == current)
    })
    .await
}

#[tokio::test]
async fn a_class_that_azure_does_not_confirm_is_not_ready_and_its_profiles_wait() {
    let scene = Scene::without_class("class").await;
    scene.profile("cart", json!({})).await;
    let role = |name: &str| {
        let scopes = [group(RESOURCE_GROUP)];
        json!({ "limits": { "access": [{ "role": name, "scopes": scopes }] } })
    };
    let other = "99999999-0000-4000-8000-000000000001";
    for (changes, field, value) in [
        (
            json!({ "subscriptionId": other }),
            "spec.subscriptionId",
            other,
        ),
        (
            json!({ "resourceGroup": "nowhere" }),
            "spec.resourceGroup",
            "nowhere",
        ),
        (
            json!({ "nodeResourceGroup": "nowhere" }),
            "spec.nodeResourceGroup",
            "nowhere",
        ),
        (
            json!({ "location": "nowhere1" }),
            "spec.location",
            "nowhere1",
        ),
        (role("Time Lord"), "spec.limits.access[0].role", "Time Lord"),
    ] {
        scene.class(changes).await;
        let ready = class_ready(&scene, "False").await;
        assert!(
            ready.message.starts_with(&format!("{field}: {value:?}")),
            "{}",
            ready.message
        );
        eventually("the profile to say the same", async || {
            let profile: PodIdentityProfile = scene.api().get("cart").await.unwrap();
            let (reason, message) = says(&profile, "Ready");
            (reason == "DependencyNotReady" && message.contains(&ready.message)).then_some(())
        })
        .await;
    }
    scene.class(json!({})).await;
    class_ready(&scene, "True").await;
    scene.until("cart", "Ready", "True").await;

    // What runs keeps running.
    let identity = status(&scene.until("cart", "IdentityReady", "True").await).identity;
    scene.class(json!({ "location": "nowhere1" })).await;
    let profile = scene.until("cart", "Ready", "False").await;
    assert_eq!(status(&profile).identity, identity);
    let id = identity.expect("an identity").resource_id;
    assert!(scene.azure_identity(&id).await.is_some());
    assert!(scene.children("cart").await.1.is_some(), "pods stay bound");
    scene.delete("cart").await;
    assert!(scene.azure_identity(&id).await.is_none());
}

#[tokio::test]
async fn an_edit_that_the_class_refuses_leaves_the_parts_as_they_were() {
    let scene = Scene::open("refused").await;
    let parts = |profile: &PodIdentityProfile| -> Vec<Value> {
        let mut all = conditions(profile);
        all.retain(|c| !["Ready", "Reconciling", "Stalled"].contains(&&*c.type_));
        let all = all.iter().map(|c| serde_json::to_value(c).unwrap());
        all.collect()
    };
    let mut spec = json!({ "access": [access(READS_SECRETS, &vault())] });
    scene.ready("cart", spec.clone()).await;
    // Pods are looked at apart from the profile's other parts, and so may be said later.
    let before = parts(&scene.until("cart", "AssignmentReady", "True").await);
    // The API server refuses what an edit asks anew, and leaves to the operator what was there.
    scene.class(json!({ "limits": { "access": [] } })).await;
    spec["identity"] = json!({ "tags": { "team": "shop" } });
    scene.profile("cart", spec).await;
    let profile = scene.until("cart", "Stalled", "True").await;
    assert_eq!(says(&profile, "Ready").0, "NotAllowedByClass");
    assert_eq!(parts(&profile), before);
    scene.delete("cart").await;
}

/// A profile that reads secrets at two scopes.
fn reading(suspend: bool) -> Value {
    let rights = [
        access(READS_SECRETS, &vault()),
        access(READS_SECRETS, &group(RESOURCE_GROUP)),
    ];
    json!({ "access": rights, "suspend": suspend })
}

/// Two profiles that have the same, one of a class that keeps and one of a class that revokes.
async fn side_by_side() -> [Scene; 2] {
    let keeps = Scene::open("keeps").await;
    let revokes = keeps.beside("revokes").await;
    for (scene, node) in [(&keeps, SET_NODES[0]), (&revokes, VM_NODES[0])] {
        scene.class(json!({})).await;
        scene.pod("web", "cart", node).await;
        scene.ready("cart", reading(false)).await;
        scene.until_assigned(&["web Assigned"]).await;
    }
    [keeps, revokes]
}

/// Makes the class narrower, by `limits`, and looks until the profile says that it exceeds it and all is done.
async fn narrow(scene: &Scene, on_narrowing: &str, limits: Value) -> PodIdentityProfile {
    let mut limits = limits;
    limits["onNarrowing"] = json!(on_narrowing);
    scene.class(json!({ "limits": limits })).await;
    scene.until("cart", "Stalled", "True").await
}

/// What the profile's identity may do.
async fn rights(scene: &Scene, profile: &PodIdentityProfile) -> BTreeSet<String> {
    let identity = status(profile).identity.expect("an identity");
    scene.rights(&identity.principal_id).await
}

#[tokio::test]
async fn a_narrower_class_takes_roles_away_where_it_says_revoke_and_gives_them_back() {
    let [keeps, revokes] = side_by_side().await;
    let on_vault = format!("{READS_SECRETS} {}", vault());
    let on_group = format!("{READS_SECRETS} {}", group(RESOURCE_GROUP));
    let only_vault = json!({ "access": [{ "role": READS_SECRETS, "scopes": [vault()] }] });

    let kept = narrow(&keeps, "Keep", only_vault.clone()).await;
    let both: BTreeSet<String> = [on_vault.clone(), on_group.clone()].into();
    assert_eq!(rights(&keeps, &kept).await, both);

    let revoked = narrow(&revokes, "Revoke", only_vault).await;
    assert_eq!(rights(&revokes, &revoked).await, [on_vault].into());
    let (reason, message) = says(&revoked, "Stalled");
    assert_eq!(reason, "NotAllowedByClass");
    let taken = format!(
        "podid has revoked what it granted the identity of {READS_SECRETS} on {}",
        group(RESOURCE_GROUP)
    );
    assert!(
        message.starts_with("spec.access[1].scope: ") && message.contains(&taken),
        "{message}"
    );
    assert_eq!(says(&revoked, "AccessReady").0, "NotAllowedByClass");
    eventually("an Event that says it", async || {
        let events = revokes.events("cart").await;
        let is_it = |event: &String| {
            event.starts_with("Applied: podid revoked") && event.contains(&group(RESOURCE_GROUP))
        };
        events.iter().any(is_it).then_some(())
    })
    .await;
    for scene in [&keeps, &revokes] {
        assert_eq!(scene.assigned().await, ["web Assigned".to_owned()].into());
        scene.class(json!({})).await;
        let profile = scene.until("cart", "Ready", "True").await;
        assert_eq!(rights(scene, &profile).await, both);
        scene.delete_pod("web").await;
        scene.delete("cart").await;
    }
}

#[tokio::test]
async fn a_class_that_revokes_takes_the_identity_from_a_namespace_that_it_does_not_admit_any_more()
{
    let [keeps, revokes] = side_by_side().await;
    let nobody = json!({ "namespaces": { "names": [] } });

    let kept = narrow(&keeps, "Keep", nobody.clone()).await;
    assert_eq!(rights(&keeps, &kept).await.len(), 2);
    keeps.until_assigned(&["web Assigned"]).await;
    assert!(keeps.children("cart").await.1.is_some());

    // Nobody keeps what the class takes away by suspending the profile.
    let whole = revokes.ready("cart", reading(true)).await;
    let name = format!("{}-other", revokes.namespace);
    let (other, _) = revokes.stage.identity(&name).await;
    let revoked = narrow(&revokes, "Revoke", nobody).await;
    assert_eq!(rights(&revokes, &revoked).await, BTreeSet::new());
    revokes.until_assigned(&[]).await;
    assert!(matches!(revokes.children("cart").await, (None, None)));
    let identity = status(&whole).identity.expect("an identity");
    let name = identity.resource_id.rsplit('/').next().expect("a name");
    revokes.stage.until_carried(VM_NODES[0], name, false).await;
    let machines = revokes.rights(KUBELET_PRINCIPAL).await;
    assert!(
        !machines.iter().any(|right| right.contains(name)),
        "{machines:?}"
    );
    for id in [&identity.resource_id, &other] {
        assert!(revokes.azure_identity(id).await.is_some(), "{id}");
    }
    let (_, message) = says(&revoked, "Ready");
    assert!(
        message.contains("taken the identity from its pods"),
        "{message}"
    );
    assert_eq!(status(&revoked).identity, Some(identity.clone()));

    for scene in [&keeps, &revokes] {
        scene.class(json!({})).await;
        let profile = scene.ready("cart", reading(false)).await;
        scene.until_assigned(&["web Assigned"]).await;
        assert_eq!(rights(scene, &profile).await.len(), 2);
        scene.delete_pod("web").await;
        scene.delete("cart").await;
    }
    assert!(
        revokes
            .azure_identity(&identity.resource_id)
            .await
            .is_none()
    );
}
