//! Pods that exist already: bound by a new label, older than their profile, debugged.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{drops, keeps, pod, space};
use crate::fixture::{Space, refusal};

#[tokio::test]
async fn labelling_a_running_pod_is_refused_too() {
    let space = space().await;
    let api = space.api("Pod");
    space
        .create("Pod", pod("old", "unbound", &keeps()), false)
        .await
        .unwrap();
    let label =
        |value: &str| Patch::Merge(json!({"metadata": {"labels": {"aadpodidbinding": value}}}));
    let answer = api
        .patch("old", &PatchParams::default(), &label("shop"))
        .await;
    let message = refusal(answer.unwrap_err()).message;
    assert!(
        message.contains("container app does not drop NET_RAW"),
        "{message}"
    );

    space
        .create("Pod", pod("clean", "unbound", &drops("ALL")), false)
        .await
        .unwrap();
    api.patch("clean", &PatchParams::default(), &label("shop"))
        .await
        .unwrap();
}

#[tokio::test]
async fn labelling_a_running_pod_of_the_nodes_network_is_refused_too() {
    let space = space().await;
    let mut pod = pod("old", "unbound", &drops("ALL"));
    pod["spec"]["hostNetwork"] = json!(true);
    space.create("Pod", pod, false).await.unwrap();
    let label = Patch::Merge(json!({"metadata": {"labels": {"aadpodidbinding": "shop"}}}));
    let answer = space
        .api("Pod")
        .patch("old", &PatchParams::default(), &label)
        .await;
    let message = refusal(answer.unwrap_err()).message;
    assert!(
        message.contains("the pod sets hostNetwork: true"),
        "{message}"
    );
}

#[tokio::test]
async fn a_pod_older_than_its_profile_can_still_be_changed() {
    let space = Space::new("net-raw-older").await;
    let api = space.api("Pod");
    space
        .create("Pod", pod("old", "shop", &keeps()), false)
        .await
        .unwrap();
    space
        .profile("shop", json!({"className": "standard"}))
        .await;
    space.policies_know().await;
    let note = Patch::Merge(json!({"metadata": {"annotations": {"note": "x"}}}));
    api.patch("old", &PatchParams::default(), &note)
        .await
        .unwrap();
    let unbind = Patch::Merge(json!({"metadata": {"labels": {"aadpodidbinding": null}}}));
    api.patch("old", &PatchParams::default(), &unbind)
        .await
        .unwrap();
}

#[tokio::test]
async fn debugging_containers_are_held_to_it() {
    let space = space().await;
    let api = space.api("Pod");
    space
        .create("Pod", pod("web", "shop", &drops("ALL")), false)
        .await
        .unwrap();
    let debug = async |context: Value| {
        let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [
            {"name": "debugger", "image": "x", "securityContext": context},
        ]}}));
        let parameters = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        api.patch_subresource("ephemeralcontainers", "web", &parameters, &patch)
            .await
    };
    let message = refusal(debug(keeps()).await.unwrap_err()).message;
    assert!(
        message.contains("container debugger does not drop NET_RAW"),
        "{message}"
    );
    debug(drops("NET_RAW")).await.unwrap();
}
