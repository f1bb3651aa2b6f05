//! The ordinary life of a profile: made, changed, disturbed and deleted, against the real API
//! server and the pretend cloud, by the operator as it is shipped.

mod adoption;
mod budget;
mod class;
mod crashes;
mod deletion;
mod grace;
mod histories;
mod leaders;
mod neighbours;
mod outage;
mod planned;
mod pods;
mod proxied;
mod proxy;
mod refusals;
mod rights;
mod scene;
mod scopes;
mod trouble;
mod turns;

use kube::Resource;
use kube::api::{Api, Patch, PatchParams};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_lab::layout::{KUBELET_PRINCIPAL, NODE_GROUP, RESOURCE_GROUP};
use scene::{READS_SECRETS, Scene, access, conditions, group, says, status, vault};
use serde_json::json;

use crate::fixture::eventually;
use crate::stage::SET_NODES;

#[tokio::test]
async fn a_fresh_profile_is_made_whole() {
    let scene = Scene::open("fresh").await;
    let spec = json!({
        "access": [access(READS_SECRETS, &vault())],
        "identity": { "tags": { "team": "shop" } },
        "binding": { "serviceAccounts": ["web"] },
    });
    let applied = scene.profile("cart", spec).await;
    assert_eq!(
        status(&applied).observed_generation,
        Some(-1),
        "InProgress before it is seen"
    );
    scene.until("cart", "Ready", "True").await;
    let profile = scene.until("cart", "AssignmentReady", "True").await;

    let identity = status(&profile).identity.expect("an identity");
    let azure = scene
        .azure_identity(&identity.resource_id)
        .await
        .expect("it is in Azure");
    assert_eq!(azure["clientId"], identity.client_id.as_str());
    assert_eq!(azure["tags"]["team"], "shop");
    assert_eq!(azure["tags"]["podid-profile"], "cart");
    assert_eq!(
        azure["tags"]["podid-uid"],
        profile.metadata.uid.as_deref().expect("a uid")
    );
    let rights = scene.rights(&identity.principal_id).await;
    assert_eq!(rights, [format!("{READS_SECRETS} {}", vault())].into());
    let machines = scene.rights(KUBELET_PRINCIPAL).await;
    let on_identity = format!("Managed Identity Operator {}", identity.resource_id);
    let on_machines = format!("Virtual Machine Contributor {}", group(NODE_GROUP));
    assert!(
        machines.contains(&on_identity) && machines.contains(&on_machines),
        "{machines:?}"
    );

    let (object, binding) = scene.children("cart").await;
    let (object, binding) = (object.expect("AzureIdentity"), binding.expect("binding"));
    assert_eq!(object.spec.client_id(), identity.client_id);
    assert_eq!(
        object.metadata.owner_references,
        binding.metadata.owner_references
    );
    assert_eq!(binding.spec.selector(), "cart");
    let annotations = binding.meta().annotations.clone().expect("annotations");
    assert_eq!(annotations["podid.dev/service-accounts"], "web");

    for condition in conditions(&profile) {
        assert_eq!(
            (condition.status.as_str(), condition.observed_generation),
            ("True", Some(1))
        );
    }
    let kinds: Vec<String> = conditions(&profile).into_iter().map(|c| c.type_).collect();
    let parts = [
        "Ready",
        "IdentityReady",
        "AccessReady",
        "BindingReady",
        "EnforcementReady",
        "AssignmentReady",
    ];
    assert_eq!(kinds, parts);
    let events = scene.events("cart").await;
    assert!(
        events
            .iter()
            .any(|event| event.starts_with("Applied: podid created identity")),
        "{events:?}"
    );
    scene.delete("cart").await;
}

#[tokio::test]
async fn what_is_added_is_granted_and_what_is_removed_is_revoked() {
    let scene = Scene::open("change").await;
    let one = access(READS_SECRETS, &vault());
    let other = access(READS_SECRETS, &group(RESOURCE_GROUP));
    let profile = scene.ready("cart", json!({ "access": [one] })).await;
    let principal = status(&profile).identity.expect("an identity").principal_id;

    let profile = scene.ready("cart", json!({ "access": [one, other] })).await;
    assert_eq!(scene.rights(&principal).await.len(), 2);
    assert_eq!(
        status(&profile).role_assignments.expect("recorded").len(),
        3
    );

    scene
        .ready(
            "cart",
            json!({ "access": [other], "binding": { "selector": "basket" } }),
        )
        .await;
    let left = [format!("{READS_SECRETS} {}", group(RESOURCE_GROUP))];
    assert_eq!(scene.rights(&principal).await, left.into());
    let (_, binding) = scene.children("cart").await;
    assert_eq!(binding.expect("a binding").spec.selector(), "basket");
    scene.delete("cart").await;
}

#[tokio::test]
async fn deletion_leaves_nothing_and_lets_go_in_order() {
    let scene = Scene::open("delete").await;
    let profile = scene
        .ready(
            "cart",
            json!({ "access": [access(READS_SECRETS, &vault())] }),
        )
        .await;
    let identity = status(&profile).identity.expect("an identity");
    let name = identity
        .resource_id
        .rsplit('/')
        .next()
        .expect("a name")
        .to_owned();
    scene.pod("web", "cart", SET_NODES[0]).await;
    scene.stage.until_carried(SET_NODES[0], &name, true).await;
    eventually("one bound pod", async || {
        let profile = scene.until("cart", "Ready", "True").await;
        (status(&profile).bound_pods == Some(1)).then_some(())
    })
    .await;
    scene.stage.heal().await;

    scene.delete("cart").await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
    assert!(scene.rights(&identity.principal_id).await.is_empty());
    let machines = scene.rights(KUBELET_PRINCIPAL).await;
    assert!(
        !machines.iter().any(|right| right.contains(&name)),
        "{machines:?}"
    );
    let on_machines = format!("Virtual Machine Contributor {}", group(NODE_GROUP));
    assert!(
        !machines.contains(&on_machines),
        "no profile is left that needs it: {machines:?}"
    );
    assert!(matches!(scene.children("cart").await, (None, None)));
    assert!(!scene.stage.carried(SET_NODES[0]).await.contains(&name));
    let writes = scene.writes().await;
    let deletes = [
        "roleassignment.delete 200",
        "roleassignment.delete 200",
        "identity.delete 200",
        "roleassignment.delete 200",
    ];
    assert_eq!(
        writes, deletes,
        "rights before the identity, and at last what served all profiles"
    );
}

#[tokio::test]
async fn a_profile_whose_class_was_deleted_first_leaves_nothing_either() {
    let scene = Scene::open("orphan").await;
    let profile = scene
        .ready(
            "cart",
            json!({ "access": [access(READS_SECRETS, &vault())] }),
        )
        .await;
    let identity = status(&profile).identity.expect("an identity");
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    classes
        .delete(&scene.namespace, &Default::default())
        .await
        .unwrap();
    scene.until("cart", "Ready", "False").await;
    scene.delete("cart").await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
    assert!(scene.rights(&identity.principal_id).await.is_empty());
}

#[tokio::test]
async fn a_retained_identity_stays_with_its_rights() {
    let scene = Scene::open("retain").await;
    let spec = json!({
        "access": [access(READS_SECRETS, &vault())],
        "identity": { "deletionPolicy": "Retain" },
    });
    let profile = scene.ready("cart", spec).await;
    let identity = status(&profile).identity.expect("an identity");
    scene.delete("cart").await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_some());
    assert_eq!(scene.rights(&identity.principal_id).await.len(), 1);
    assert!(matches!(scene.children("cart").await, (None, None)));
}

#[tokio::test]
async fn an_adopted_identity_is_used_and_never_touched() {
    let scene = Scene::open("adopt").await;
    let (id, client_id) = scene
        .stage
        .identity(&format!("{}-legacy", scene.namespace))
        .await;
    let before = scene.azure_identity(&id).await;
    let spec = json!({
        "access": [access(READS_SECRETS, &vault())],
        "identity": { "resourceId": id },
    });
    let profile = scene.ready("cart", spec).await;
    let identity = status(&profile).identity.expect("an identity");
    assert_eq!((identity.client_id, identity.created), (client_id, false));
    assert_eq!(scene.rights(&identity.principal_id).await.len(), 1);
    scene.delete("cart").await;
    assert_eq!(scene.azure_identity(&id).await, before);
    assert!(
        scene.rights(&identity.principal_id).await.is_empty(),
        "what we gave is taken back"
    );
}

#[tokio::test]
async fn an_identity_that_exists_is_not_seized() {
    let scene = Scene::open("seize").await;
    let name = format!("{}-theirs", scene.namespace);
    let (id, _) = scene.stage.identity(&name).await;
    scene.stage.heal().await;
    scene
        .profile("cart", json!({ "identity": { "name": name } }))
        .await;
    let profile = scene.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&profile, "Stalled");
    assert_eq!(reason, "IdentityExists");
    assert!(
        message.contains(&name) && message.contains("creationPolicy"),
        "{message}"
    );
    assert_eq!(scene.writes().await, [""; 0]);
    scene.delete("cart").await;
    assert!(scene.azure_identity(&id).await.is_some());
}

#[tokio::test]
async fn an_identity_under_a_new_name_replaces_the_former() {
    let scene = Scene::open("rename").await;
    let rights = json!([access(READS_SECRETS, &vault())]);
    let former = scene.ready("cart", json!({ "access": rights })).await;
    let former = status(&former).identity.expect("an identity");
    let name = format!("{}-renamed", scene.namespace);
    let spec = json!({ "access": rights, "identity": { "name": name } });
    let profile = scene.ready("cart", spec).await;
    let identity = status(&profile).identity.expect("an identity");
    assert!(
        identity.resource_id.ends_with(&name),
        "{}",
        identity.resource_id
    );
    assert!(scene.azure_identity(&former.resource_id).await.is_none());
    assert!(scene.rights(&former.principal_id).await.is_empty());
    assert_eq!(scene.rights(&identity.principal_id).await.len(), 1);
    let (object, _) = scene.children("cart").await;
    assert_eq!(
        object.expect("AzureIdentity").spec.client_id(),
        identity.client_id
    );
    scene.delete("cart").await;
}

#[tokio::test]
async fn beyond_its_class_a_profile_stalls_with_the_field_and_no_call() {
    let scene = Scene::without_class("limits").await;
    // Before its class, or the API server would refuse it.
    scene
        .profile("cart", json!({ "access": [access("Owner", &vault())] }))
        .await;
    scene.class(json!({})).await;
    let profile = scene.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&profile, "Stalled");
    assert_eq!(reason, "NotAllowedByClass");
    assert!(
        message.starts_with("spec.access[0].role: \"Owner\""),
        "{message}"
    );
    assert_eq!(
        says(&profile, "Ready"),
        (reason, message),
        "Ready repeats the cause"
    );
    scene.delete("cart").await;
    assert_eq!(
        scene.calls().await,
        [""; 0],
        "not one call to Azure, not even to delete"
    );
}

#[tokio::test]
async fn a_profile_waits_for_its_class_and_goes_on_when_it_comes() {
    let scene = Scene::without_class("classless").await;
    scene.profile("cart", json!({})).await;
    let profile = scene.until("cart", "Reconciling", "True").await;
    let (reason, message) = says(&profile, "Ready");
    assert_eq!(reason, "DependencyNotReady");
    assert!(message.contains(&scene.namespace), "{message}");
    assert_eq!(scene.calls().await, [""; 0]);
    scene.class(json!({})).await;
    scene.until("cart", "Ready", "True").await;

    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    eventually("the class counts its profile", async || {
        let class = classes.get(&scene.namespace).await.unwrap();
        (class.status.and_then(|status| status.profiles) == Some(1)).then_some(())
    })
    .await;
    scene.delete("cart").await;
}

#[tokio::test]
async fn a_class_for_another_tenant_is_stalled_and_used_by_nobody() {
    let scene = Scene::without_class("tenant").await;
    scene
        .class(json!({ "tenantId": "00000000-0000-4000-8000-00000000beef" }))
        .await;
    scene.profile("cart", json!({})).await;
    scene.until("cart", "Reconciling", "True").await;
    // Before the class has been looked at, the profile waits for that.
    let reason = eventually("what is wrong with the class", async || {
        let profile = scene.api::<PodIdentityProfile>().get("cart").await.unwrap();
        let (reason, message) = says(&profile, "Ready");
        message.contains("spec.tenantId").then_some(reason)
    });
    assert_eq!(reason.await, "DependencyNotReady");
    let classes: Api<PodIdentityClass> = Api::all(scene.stage.client.clone());
    eventually("the class is stalled", async || {
        let class = classes.get(&scene.namespace).await.unwrap();
        let conditions = class.status?.conditions?;
        conditions
            .iter()
            .any(|c| c.type_ == "Stalled" && c.status == "True")
            .then_some(())
    })
    .await;
    assert_eq!(scene.calls().await, [""; 0]);
    scene.delete("cart").await;
}

#[tokio::test]
async fn a_namespace_comes_in_when_it_gets_the_labels() {
    let scene = Scene::without_class("labels").await;
    let by_label = json!({ "names": [], "matchLabels": { "podid-test": scene.namespace } });
    // Before its class, because a class that does not admit the namespace has the API server refuse it.
    scene.profile("cart", json!({})).await;
    scene
        .class(json!({ "limits": { "namespaces": by_label } }))
        .await;
    let profile = scene.until("cart", "Stalled", "True").await;
    assert!(
        says(&profile, "Stalled")
            .1
            .starts_with("metadata.namespace")
    );
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> =
        Api::all(scene.stage.client.clone());
    let label = json!({ "metadata": { "labels": { "podid-test": scene.namespace } } });
    let patch = Patch::Merge(label);
    namespaces
        .patch(&scene.namespace, &PatchParams::default(), &patch)
        .await
        .unwrap();
    scene.until("cart", "Ready", "True").await;
    scene.delete("cart").await;
}

#[tokio::test]
async fn a_suspended_profile_is_left_alone_until_it_is_deleted() {
    let scene = Scene::open("suspend").await;
    scene.profile("cart", json!({ "suspend": true })).await;
    let profile = scene.until("cart", "Ready", "False").await;
    assert_eq!(says(&profile, "Ready").0, "Suspended");
    assert_eq!(scene.calls().await, [""; 0]);
    let profile = scene.ready("cart", json!({ "suspend": false })).await;
    let identity = status(&profile).identity.expect("an identity");

    let profile = scene.ready("cart", json!({ "suspend": true })).await;
    assert_eq!(
        says(&profile, "Ready").0,
        "Suspended",
        "what is there stays ready"
    );
    // From here on: what was looked at before the suspension was seen is no fault.
    scene.stage.heal().await;
    let parts = |profile: &PodIdentityProfile| {
        let mut all = conditions(profile);
        all.retain(|condition| !["Ready", "Stalled"].contains(&&*condition.type_));
        all
    };
    // The counts of pods are written by themselves, and may come after the rest.
    let applied = parts(&scene.until("cart", "AssignmentReady", "True").await);
    let more = json!([access(READS_SECRETS, &vault())]);
    scene
        .profile("cart", json!({ "suspend": true, "access": more }))
        .await;
    let profile = scene.until("cart", "Ready", "False").await;
    assert_eq!(
        says(&profile, "Ready").0,
        "Suspended",
        "an edit that is not applied is not ready"
    );
    assert_eq!(says(&profile, "Stalled").0, "Suspended");
    assert_eq!(parts(&profile), applied, "and no part has come to it");
    assert_eq!(scene.calls().await, [""; 0]);
    scene.delete("cart").await;
    assert!(scene.azure_identity(&identity.resource_id).await.is_none());
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_taken() {
    let scene = Scene::open("foreign").await;
    let (id, client_id) = scene
        .stage
        .identity(&format!("{}-own", scene.namespace))
        .await;
    let object = json!({
        "metadata": {
            "name": "cart",
            "labels": {
                "kustomize.toolkit.fluxcd.io/name": "apps",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
        },
        "spec": { "type": 0, "resourceID": id, "clientID": client_id },
    });
    let object: podid_crds::aadpodidentity::AzureIdentity =
        serde_json::from_value(object).expect("an AzureIdentity");
    scene
        .api()
        .create(&Default::default(), &object)
        .await
        .unwrap();
    scene.profile("cart", json!({})).await;
    let profile = scene.until("cart", "Stalled", "True").await;
    let (_, message) = says(&profile, "Stalled");
    assert!(
        message.contains("Kustomization flux-system/apps"),
        "{message}"
    );
    scene.delete("cart").await;
    let (left, _) = scene.children("cart").await;
    assert_eq!(left.expect("still there").spec.client_id(), client_id);
}
