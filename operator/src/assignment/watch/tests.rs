use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::error_boundary::InvalidObject;
use serde_json::json;

use super::*;

fn object(name: &str) -> DeserializeGuard<ConfigMap> {
    DeserializeGuard(Ok(serde_json::from_value(
        json!({ "metadata": { "name": name } }),
    )
    .unwrap()))
}

fn unreadable(name: &str) -> DeserializeGuard<ConfigMap> {
    let metadata = object(name).0.unwrap().metadata;
    DeserializeGuard(Err(InvalidObject {
        error: "odd".into(),
        metadata,
    }))
}

async fn told(
    events: Vec<watcher::Result<watcher::Event<DeserializeGuard<ConfigMap>>>>,
) -> Vec<String> {
    deliveries(stream::iter(events))
        .map(|delivery| match delivery {
            Delivery::Object(key, Some(_)) => format!("+{}", key.name),
            Delivery::Object(key, None) => format!("-{}", key.name),
            Delivery::Synced => "synced".to_owned(),
        })
        .collect()
        .await
}

#[tokio::test]
async fn a_new_listing_tells_what_has_gone_meanwhile_and_nothing_flickers() {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    let told = told(vec![
        Ok(Init),
        Ok(InitApply(object("a"))),
        Ok(InitApply(object("b"))),
        Ok(InitDone),
        Ok(Apply(object("c"))),
        Ok(Delete(object("a"))),
        Err(watcher::Error::NoResourceVersion),
        Ok(Init),
        Ok(InitApply(object("c"))),
        Ok(InitDone),
    ]);
    let expected = ["+a", "+b", "synced", "+c", "-a", "+c", "-b", "synced"];
    assert_eq!(told.await, expected);
}

#[tokio::test]
async fn what_a_broken_listing_told_of_is_missed_by_the_next() {
    use watcher::Event::{Init, InitApply, InitDone};
    let told = told(vec![
        Ok(Init),
        Ok(InitApply(object("a"))),
        Err(watcher::Error::NoResourceVersion),
        Ok(Init),
        Ok(InitDone),
    ]);
    assert_eq!(told.await, ["+a", "-a", "synced"]);
}

#[tokio::test]
async fn an_unreadable_object_counts_as_absent_and_stalls_nothing() {
    use watcher::Event::{Apply, Init, InitApply, InitDone};
    let told = told(vec![
        Ok(Init),
        Ok(InitApply(unreadable("odd"))),
        Ok(InitApply(object("a"))),
        Ok(InitDone),
        Ok(Apply(unreadable("a"))),
    ]);
    assert_eq!(told.await, ["-odd", "+a", "synced", "-a"]);
}

#[test]
fn a_pod_is_reduced_to_what_is_decided_on() {
    let pod = |status: &str| -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "web-0", "namespace": "apps", "uid": "u",
                "labels": { "aadpodidbinding": "web" },
            },
            "spec": { "nodeName": "n1", "serviceAccountName": "sa", "containers": [] },
            "status": { "phase": status },
        }))
        .unwrap()
    };
    let running = placed(pod("Running")).expect("it holds identities");
    assert_eq!(
        (running.node.as_str(), running.pod.service_account.as_str()),
        ("n1", "sa")
    );
    assert_eq!(placed(pod("Succeeded")), None);
}

#[test]
fn a_node_without_a_provider_id_is_no_machine_yet() {
    let node = serde_json::from_value(json!({ "metadata": { "name": "n" } })).unwrap();
    assert_eq!(machine_of(&node), Err(ProviderIdError::Empty));
}
