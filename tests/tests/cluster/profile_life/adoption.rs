//! Identities that podid did not make, and profiles of two teams that want one.

use futures::join;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PropagationPolicy};
use podid_crds::aadpodidentity::AzureIdentity;
use podid_crds::podid::PodIdentityProfile;
use serde_json::{Value, json};

use super::scene::{Scene, conditions, says, status};
use crate::fixture::eventually;
use crate::stage::VM_NODES;

/// Looks until it is decided whether the profile has the identity; whether it has.
async fn has_it(scene: &Scene) -> bool {
    let conditions = conditions(&scene.until_decided("cart").await);
    let mut all = conditions.iter();
    all.any(|one| one.type_ == "Ready" && one.status == "True")
}

#[tokio::test]
async fn an_identity_that_one_team_has_adopted_is_no_other_teams_by_a_line_of_yaml() {
    let first = Scene::open("adopts").await;
    let second = first.beside("adopts-too").await;
    second.class(json!({})).await;
    let name = format!("{}-found", first.namespace);
    let (id, _) = first.stage.identity(&name).await;
    let spec = json!({"identity": {"resourceId": id}});
    first.ready("cart", spec.clone()).await;

    second.profile("cart", spec.clone()).await;
    let refused = second.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&refused, "Stalled");
    assert_eq!(reason, "IdentityAdoptedByAnother");
    let holder = format!("profile {}/cart", first.namespace);
    assert!(
        message.contains(&holder) && message.contains("limits.allowSharedAdoption"),
        "{message}"
    );
    assert_eq!(second.list::<AzureIdentity>().await.len(), 0);
    let first_still: PodIdentityProfile = first.api().get("cart").await.unwrap();
    assert!(status(&first_still).identity.is_some());

    second
        .class(json!({"limits": {"allowSharedAdoption": true}}))
        .await;
    second.until("cart", "Ready", "True").await;
    // Taken back, it keeps what it has, and no other namespace gets it any more.
    second
        .class(json!({"limits": {"allowSharedAdoption": false}}))
        .await;
    second.poke("cart", "narrowed").await;
    let third = first.beside("adopts-last").await;
    third.class(json!({})).await;
    third.profile("cart", spec.clone()).await;
    third.until("cart", "Stalled", "True").await;
    second.until("cart", "Ready", "True").await;
    third.delete("cart").await;
    second.delete("cart").await;
    first.delete("cart").await;
    second.ready("cart", spec).await;
    second.delete("cart").await;
}

/// The API server takes the owner away and leaves the objects, with rights that the team has.
#[tokio::test]
async fn a_profile_that_is_deleted_without_its_objects_leaves_nothing_that_serves() {
    let scene = Scene::open("orphaned").await;
    let name = format!("{}-found", scene.namespace);
    let (id, _) = scene.stage.identity(&name).await;
    let spec = json!({"identity": {"resourceId": id}});
    scene.ready("cart", spec.clone()).await;
    scene.pod("web", "cart", VM_NODES[0]).await;
    scene.stage.until_carried(VM_NODES[0], &name, true).await;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    let profiles: Api<PodIdentityProfile> = scene.api();
    profiles.delete("cart", &orphan).await.unwrap();
    scene.stage.until_carried(VM_NODES[0], &name, false).await;
    eventually("the profile and its objects to go", async || {
        let gone = profiles.get_opt("cart").await.unwrap().is_none();
        (gone && matches!(scene.children("cart").await, (None, None))).then_some(())
    })
    .await;
    scene.delete_pod("web").await;
}

/// A team may also take the finalizer away, so that nobody removes the objects.
#[tokio::test]
async fn what_a_profile_has_left_behind_is_taken_over_by_the_next_of_its_name() {
    let scene = Scene::open("left-behind").await;
    scene.ready("cart", json!({})).await;
    scene.stage.stop_operator();
    let profiles: Api<PodIdentityProfile> = scene.api();
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    profiles.delete("cart", &orphan).await.unwrap();
    eventually("the API server to take the owner away", async || {
        let binding = scene.children("cart").await.1.expect("a binding");
        binding.metadata.owner_references.is_none().then_some(())
    })
    .await;
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    profiles
        .patch("cart", &PatchParams::default(), &none)
        .await
        .expect("a profile that goes");
    scene.stage.start_operator();
    scene
        .ready(
            "cart",
            json!({"identity": {"creationPolicy": "CreateOrAdopt"}}),
        )
        .await;
    let (identity, binding) = scene.children("cart").await;
    let owners = [
        identity
            .expect("an AzureIdentity")
            .metadata
            .owner_references,
        binding.expect("a binding").metadata.owner_references,
    ];
    assert!(owners.iter().all(Option::is_some), "{owners:?}");
    scene.pod("web", "cart", VM_NODES[0]).await;
    scene.until_assigned(&["web Assigned"]).await;
    scene.delete_pod("web").await;
    scene.delete("cart").await;
}

#[tokio::test]
async fn of_two_teams_that_adopt_one_identity_at_once_one_has_it() {
    let first = Scene::open("adopts-now").await;
    let second = first.beside("adopts-now-too").await;
    second.class(json!({})).await;
    for round in 0..5 {
        let name = format!("{}-found-{round}", first.namespace);
        let (id, _) = first.stage.identity(&name).await;
        let spec: Value = json!({"identity": {"resourceId": id}});
        join!(
            first.profile("cart", spec.clone()),
            second.profile("cart", spec)
        );
        let have = join!(has_it(&first), has_it(&second));
        assert!(have.0 ^ have.1, "round {round}: {have:?}");
        join!(first.delete("cart"), second.delete("cart"));
    }
}

/// Whoever took such a name first would keep the other profile from its identity.
#[tokio::test]
async fn the_name_that_another_profile_would_get_is_not_to_be_had() {
    let scene = Scene::open("squatted").await;
    let victim = scene.beside("squatted-victim").await;
    victim.class(json!({})).await;
    let derived = victim.ready("cart", json!({})).await;
    let id = status(&derived).identity.expect("an identity").resource_id;
    let name = id.rsplit('/').next().expect("a name").to_owned();
    victim.delete("cart").await;
    scene
        .profile("cart", json!({"identity": {"name": name}}))
        .await;
    let refused = scene.until("cart", "Stalled", "True").await;
    assert_eq!(says(&refused, "Stalled").0, "IdentityNameOfAnother");
    victim.ready("cart", json!({})).await;
    for space in [scene, victim] {
        space.delete("cart").await;
    }
}

/// Azure may not show at once what was made, and its tags with it.
#[tokio::test]
async fn an_identity_is_made_for_the_profile_that_names_it_first() {
    let first = Scene::open("makes").await;
    let second = first.beside("makes-too").await;
    second.class(json!({})).await;
    let lag = json!({ "kind": "lag", "calls": 3, "spareTyped": false });
    let fault = json!({ "operation": "arm.identity.get", "effect": lag });
    first.stage.fault(fault).await;
    let spec = |number: usize| {
        let policy = ["Create", "CreateOrAdopt"][number % 2];
        let name = format!("{}-{number}", first.namespace);
        json!({ "identity": { "name": name, "creationPolicy": policy } })
    };
    let names: Vec<String> = (0..6).map(|number| format!("cart-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        join!(
            first.profile(name, spec(number)),
            second.profile(name, spec(number))
        );
    }
    for (number, name) in names.iter().enumerate() {
        let has = async |scene: &Scene| {
            let profile = scene.until_decided(name).await;
            status(&profile).identity.is_some()
        };
        let (one, other) = join!(has(&first), has(&second));
        assert!(one != other, "{number}: {one} {other}");
    }
    first.stage.heal().await;
    for scene in [first, second] {
        for name in &names {
            scene.delete(name).await;
        }
    }
}

#[tokio::test]
async fn what_serves_a_hand_written_object_of_another_namespace_is_not_adopted() {
    let theirs = Scene::open("by-hand").await;
    let ours = theirs.beside("by-hand-ours").await;
    ours.class(json!({})).await;
    let (id, client_id) = theirs
        .stage
        .identity(&format!("{}-legacy", theirs.namespace))
        .await;
    let object = json!({
        "metadata": { "name": "legacy" },
        "spec": { "type": 0, "resourceID": id, "clientID": client_id },
    });
    theirs.create::<AzureIdentity>(object).await;
    let spec = json!({ "identity": { "resourceId": id, "creationPolicy": "Adopt" } });
    ours.profile("cart", spec.clone()).await;
    let refused = ours.until("cart", "Stalled", "True").await;
    let (reason, message) = says(&refused, "Stalled");
    assert_eq!(reason, "IdentityAdoptedByAnother");
    let user = format!("the hand-written AzureIdentity {}/legacy", theirs.namespace);
    assert!(message.contains(&user), "{message}");
    theirs.ready("cart", spec).await;
    for scene in [&ours, &theirs] {
        scene.delete("cart").await;
    }
    theirs.delete_object::<AzureIdentity>("legacy").await;
}
