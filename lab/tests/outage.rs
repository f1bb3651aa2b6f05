//! Nodes and pods when the API server is killed, in a lab of this test's own. Needs root and the
//! lab's programs; fails without them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "workloads/space.rs"]
#[allow(dead_code)] // Other tests need more of it.
mod space;

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use space::{Space, lab};

#[tokio::test]
async fn the_kubelet_survives_its_api_server_and_sweeps_what_it_does_not_know() {
    let space = Space::new().await;
    space
        .ready_pod("before", json!({"spec": {"nodeName": "node-0"}}))
        .await;
    let container = space.place("before").unwrap().cgroup;
    let class = container.ancestors().nth(2).unwrap();
    // What a pod leaves that was deleted while nobody looked.
    let leftover = class.join("kubepods-besteffort-pod11111111_2222_3333_4444_555555555555.slice");
    std::fs::create_dir_all(leftover.join("cri-containerd-0.scope")).unwrap();
    // Writes that the watch of pods does not see make it too old for the API server's next life,
    // so that it begins anew with a list.
    let maps: Api<ConfigMap> = space.api();
    for n in 0..5 {
        let map = serde_json::from_value(json!({"metadata": {"name": format!("map-{n}")}}));
        maps.create(&PostParams::default(), &map.unwrap())
            .await
            .unwrap();
    }

    lab().kill_service("kube-apiserver", 9).unwrap();
    let swept = async {
        while leftover.exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), swept)
        .await
        .expect("the leftovers of an unknown pod are still there");
    assert!(container.exists(), "a known pod was swept");
    assert_eq!(space.output("before", &["hostname"]), "before");
    space
        .ready_pod("after", json!({"spec": {"nodeName": "node-0"}}))
        .await;
}
