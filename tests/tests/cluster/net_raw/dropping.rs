//! The component that adds the drop of NET_RAW, in the namespace of one test: the policies of the others' refuse.

use std::fs;

use kube::api::{Patch, PatchParams};
use kube::core::Request;
use podid_tests::programs::repository;
use serde_json::{Value, json};

use super::{drops, keeps, pod, space};
use crate::fixture::{Space, eventually, refusal};

pub(super) const API: &str = "/apis/admissionregistration.k8s.io/v1";

/// An object of the component, renamed for the test.
fn object(file: &str, name: &str) -> Value {
    let path = repository()
        .join("kustomize/components/drop-net-raw")
        .join(file);
    let mut object: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    object["metadata"]["name"] = json!(name);
    object
}

pub(super) async fn create(space: &Space, plural: &str, object: &Value) {
    let body = serde_json::to_vec(object).unwrap();
    let request = Request::new(format!("{API}/{plural}")).create(&Default::default(), body);
    let _made: Value = space.client.request(request.unwrap()).await.unwrap();
}

/// A namespace with one profile per mode, in which the drop is added.
pub(super) async fn dropping() -> Space {
    let space = space().await;
    let name = &space.name;
    let policy = object("policy.yaml", name);
    create(&space, "mutatingadmissionpolicies", &policy).await;
    let mut binding = object("binding.yaml", name);
    binding["spec"]["policyName"] = json!(name);
    binding["spec"]["matchResources"] = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
    });
    create(&space, "mutatingadmissionpolicybindings", &binding).await;
    let admitted = async || {
        space
            .create("Pod", pod("probe", "shop", &keeps()), true)
            .await
            .ok()
    };
    eventually("the policy taking effect", admitted).await;
    space
}

/// What becomes of the `securityContext` of a container.
async fn context(space: &Space, label: &str, context: Value) -> Result<Value, String> {
    let made = space.create("Pod", pod("p", label, &context), true).await?;
    Ok(made["spec"]["containers"][0]["securityContext"].clone())
}

#[tokio::test]
async fn what_is_missing_around_the_drop_is_added() {
    let space = dropping().await;
    let table = [
        (json!({}), json!({"capabilities": {"drop": ["NET_RAW"]}})),
        (
            json!({"runAsUser": 5}),
            json!({"runAsUser": 5, "capabilities": {"drop": ["NET_RAW"]}}),
        ),
        (
            json!({"capabilities": {"add": ["CHOWN"]}}),
            json!({"capabilities": {"add": ["CHOWN"], "drop": ["NET_RAW"]}}),
        ),
        (
            drops("SYS_TIME"),
            json!({"capabilities": {"drop": ["SYS_TIME", "NET_RAW"]}}),
        ),
        (
            drops("net_raw"),
            json!({"capabilities": {"drop": ["net_raw", "NET_RAW"]}}),
        ),
        (drops("ALL"), drops("ALL")),
        (drops("NET_RAW"), drops("NET_RAW")),
    ];
    for (asked, expected) in table {
        assert_eq!(context(&space, "shop", asked).await, Ok(expected));
    }
}

#[tokio::test]
async fn all_containers_of_a_pod_and_those_for_debugging_get_it() {
    let space = dropping().await;
    let mut web = pod("web", "shop", &drops("ALL"));
    web["spec"]["initContainers"] = json!([{"name": "setup", "image": "x"}]);
    let more = json!({"name": "sidecar", "image": "x"});
    web["spec"]["containers"].as_array_mut().unwrap().push(more);
    let made = space.create("Pod", web, false).await.unwrap();
    let dropped = drops("NET_RAW");
    assert_eq!(
        made["spec"]["containers"][0]["securityContext"],
        drops("ALL")
    );
    assert_eq!(made["spec"]["containers"][1]["securityContext"], dropped);
    assert_eq!(
        made["spec"]["initContainers"][0]["securityContext"],
        dropped
    );

    let debuggers = json!([{"name": "debugger", "image": "x"}]);
    let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": debuggers}}));
    let pods = space.api("Pod");
    let parameters = PatchParams::default();
    let patched = pods.patch_subresource("ephemeralcontainers", "web", &parameters, &patch);
    let patched = patched.await.unwrap();
    let debugger = &patched.data["spec"]["ephemeralContainers"][0];
    assert_eq!(debugger["securityContext"], dropped);
}

#[tokio::test]
async fn what_the_drop_does_not_mend_is_still_refused() {
    let space = dropping().await;
    for (asked, words) in [
        (json!({"privileged": true}), "container app is privileged"),
        (
            json!({"capabilities": {"add": ["NET_RAW"]}}),
            "container app adds NET_RAW",
        ),
    ] {
        let message = context(&space, "shop", asked).await.expect_err(words);
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    let mut old = pod("old", "off", &keeps());
    old["spec"]["nodeSelector"] = json!({"none": "such"});
    space.create("Pod", old, false).await.unwrap();
    let label = Patch::Merge(json!({"metadata": {"labels": {"aadpodidbinding": "shop"}}}));
    let pods = space.api("Pod");
    let bound = pods.patch("old", &PatchParams::default(), &label).await;
    let message = refusal(bound.unwrap_err()).message;
    assert!(message.contains("container app does not drop"), "{message}");
}

#[tokio::test]
async fn pods_that_no_profile_enforces_it_on_are_left_as_they_are() {
    let space = dropping().await;
    for label in ["off", "Watched", "other"] {
        assert_eq!(
            context(&space, label, json!({})).await,
            Ok(json!({})),
            "{label}"
        );
    }
    let mut windows = pod("p", "shop", &keeps());
    windows["spec"]["os"] = json!({"name": "windows"});
    let made = space.create("Pod", windows, true).await.unwrap();
    assert_eq!(made["spec"]["containers"][0]["securityContext"], json!({}));
}
