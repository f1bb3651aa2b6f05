//! AzureIdentities that were written by hand, as the daemon is told to serve them.

use podid_lab::Network;
use podid_tests::node::{Pod, assigned, azure_identity, wait_until};
use serde_json::json;

use crate::scene::{Scene, of_profile, with_security};

/// Makes a pod known that a hand-written object binds, and waits until the daemon says this of it.
fn by_hand(scene: &Scene, name: &str, state: &str) -> Pod {
    let pod = scene.test_node.add_pod().unwrap();
    scene.make_known(&pod, name);
    wait_until(&format!("{name} is {state}"), || {
        scene.attested() == 1 && scene.identity_states(name) == [state]
    });
    pod
}

#[test]
fn where_none_is_served_only_the_object_of_a_profile_gives_a_token() {
    let scene = Scene::with_flags(Network::Bridge, &["--legacy-identities", "None"]);
    let pod = by_hand(&scene, "one", "LegacyIdentitiesNotServed");
    for answer in [pod.ask(), pod.ask_for("client-one")] {
        assert_eq!((answer.status, answer.token()), (400, None));
        assert_eq!(answer.body["error_description"], "Identity not found");
    }
    assert!(scene.daemon.log().contains("LegacyIdentitiesNotServed"));
    assert!(scene.imds.client_ids().is_empty(), "nothing was asked for");

    scene.api.put(&of_profile("one", "Ignore"));
    wait_until("the profile's object is served", || {
        pod.ask().token() == Some("token-of-client-one")
    });
    scene.api.put(&azure_identity("one"));
    wait_until("without its owner it is not", || pod.ask().status == 400);
}

#[test]
fn within_a_class_a_label_that_is_copied_to_another_namespace_gives_nothing() {
    let scene = Scene::with_flags(Network::Bridge, &["--legacy-identities", "WithinClass"]);
    let copy = copy_elsewhere(&scene);
    let answer = copy.ask();
    assert_eq!((answer.status, answer.token()), (400, None));
    assert!(scene.daemon.log().contains("NotBound"));

    let scene = Scene::start(Network::Bridge);
    let copy = copy_elsewhere(&scene);
    assert_eq!(copy.ask().token(), Some("token-of-client-one"));
}

/// A pod of another namespace with the label of a pod that has a hand-written identity, and an assignment of that.
fn copy_elsewhere(scene: &Scene) -> Pod {
    let copy = scene.test_node.add_pod().unwrap();
    let mut elsewhere = copy.running("copy", "one");
    elsewhere["metadata"]["namespace"] = "elsewhere".into();
    let mut made = assigned("copy", &copy.uid, "one", "Assigned");
    made["metadata"]["namespace"] = "elsewhere".into();
    made["spec"]["podNamespace"] = "elsewhere".into();
    scene.api.put(&elsewhere);
    scene.api.put(&made);
    wait_until("the copy is proved", || scene.attested() == 1);

    let own = scene.pod_with_identity("one");
    assert_eq!(own.ask().token(), Some("token-of-client-one"));
    copy
}

#[test]
fn the_cluster_holds_the_pods_of_hand_written_objects_to_the_rule() {
    let scene = Scene::with_flags(Network::Bridge, &["--legacy-net-raw", "Enforce"]);
    let pod = by_hand(&scene, "one", "BreaksNetRawRule");
    let answer = pod.ask();
    assert_eq!((answer.status, answer.token()), (400, None));
    let text = answer.body["error_description"].as_str().unwrap();
    assert!(text.contains("netRaw: Enforce"), "{text}");
    wait_until("an Event names the container", || {
        scene.has_event(&[
            "BreaksNetRawRule",
            &pod.uid,
            "container main does not drop NET_RAW",
        ])
    });

    let drops = json!({"capabilities": {"drop": ["ALL"]}});
    scene.api.put(&with_security(&pod, "one", drops));
    wait_until("a pod that keeps the rule is served", || {
        pod.ask().token() == Some("token-of-client-one")
    });
    scene.api.put(&pod.running("one", "one"));
    wait_until("the rule counts", || pod.ask().status == 400);
    scene.api.put(&of_profile("one", "Audit"));
    wait_until("a profile speaks for its own pods", || {
        pod.ask().status == 200
    });
}

#[test]
fn an_audit_of_the_cluster_takes_nothing_from_anybody() {
    let scene = Scene::with_flags(Network::Bridge, &["--legacy-net-raw", "Audit"]);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));
}
