//! A pod that could speak in the name of another gets no token, although admission let it in.

use podid_lab::Network;
use podid_tests::node::wait_until;
use serde_json::json;

use crate::scene::{Scene, of_profile, with_security};

#[test]
fn a_pod_older_than_its_profile_loses_its_tokens_when_it_breaks_the_rule() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));

    scene.api.put(&of_profile("one", "Enforce"));
    wait_until("the profile's rule counts", || pod.ask().status == 400);
    let answer = pod.ask();
    assert_eq!(answer.token(), None);
    let text = answer.body["error_description"].as_str().unwrap();
    assert!(text.contains("netRaw: Enforce"), "{text}");
    wait_until("an Event names the container and what mends it", || {
        scene.has_event(&[
            "BreaksNetRawRule",
            &pod.uid,
            "container main does not drop NET_RAW",
            "securityContext: {capabilities: {drop: [NET_RAW]}}",
        ])
    });
    let told = scene.api.events();
    let told = told.iter().filter(|one| one.contains("BreaksNetRawRule"));
    assert_eq!(told.count(), 1, "once, and not per request");

    for lax in ["Audit", "Ignore"] {
        scene.api.put(&of_profile("one", lax));
        wait_until("the rule is lifted", || pod.ask().status == 200);
        scene.api.put(&of_profile("one", "Enforce"));
        wait_until("the rule counts again", || pod.ask().status == 400);
    }
}

#[test]
fn a_container_that_is_added_later_counts() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let clean = with_security(&pod, "one", json!({"capabilities": {"drop": ["ALL"]}}));
    scene.api.put(&clean);
    scene.api.put(&of_profile("one", "Enforce"));
    wait_until("the clean pod is served", || pod.ask().status == 200);
    let mut debugged = clean.clone();
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "debugger", "image": "tools"}]);
    scene.api.put(&debugged);
    wait_until("the debugger counts", || pod.ask().status == 400);
    wait_until("an Event names it", || {
        scene.has_event(&[
            "BreaksNetRawRule",
            "container debugger does not drop NET_RAW",
        ])
    });
}
