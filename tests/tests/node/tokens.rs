//! Who gets which token.

use serde_json::json;

use podid_tests::node::{TOKEN_URL, assigned, azure_identity, binding, exception};

use crate::scene::{NETWORKS, Scene};
use podid_lab::Network;

#[test]
fn each_pod_gets_its_own_token_and_no_others() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let one = scene.pod_with_identity("one");
        let two = scene.pod_with_identity("two");
        assert_eq!(
            one.ask().token(),
            Some("token-of-client-one"),
            "{network:?}"
        );
        assert_eq!(
            two.ask().token(),
            Some("token-of-client-two"),
            "{network:?}"
        );
        let foreign = one.ask_for("client-two");
        assert_eq!(foreign.status, 400, "{network:?}");
        assert_eq!(foreign.body["error_description"], "Identity not found");
        assert!(foreign.seconds < 5.0, "a no is not waited for");
        assert_eq!(scene.imds.client_ids(), ["client-one", "client-two"]);
    }
}

#[test]
fn a_foreign_client_id_in_an_azure_identity_brings_no_token() {
    let scene = Scene::start(Network::Bridge);
    let victim = scene.pod_with_identity("victim");
    let attacker = scene.pod_with_identity("attacker");
    let mut forged = azure_identity("attacker");
    forged["spec"]["clientID"] = "client-victim".into();
    scene.api.put(&forged);
    podid_tests::node::wait_until("the forged identity counts", || {
        attacker.ask().status == 400
    });
    for answer in [attacker.ask(), attacker.ask_for("client-victim")] {
        assert_eq!((answer.status, answer.token()), (400, None));
        assert_eq!(answer.body["error_description"], "Identity not found");
    }
    assert!(scene.daemon.log().contains("ClientIdMismatch"));
    podid_tests::node::wait_until("an Event says so", || {
        scene.has_event(&[
            "ClientIdMismatch",
            "team/attacker has clientID client-victim, but",
        ])
    });
    let told = scene.api.events();
    let told = told.iter().filter(|one| one.contains("ClientIdMismatch"));
    assert_eq!(told.count(), 1, "once, and not per request");
    assert_eq!(victim.ask().token(), Some("token-of-client-victim"));
}

#[test]
fn an_answer_is_that_of_the_metadata_service() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let body = pod.ask().body;
    let keys: Vec<&str> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "access_token",
            "client_id",
            "expires_in",
            "expires_on",
            "ext_expires_in",
            "not_before",
            "resource",
            "token_type"
        ]
    );
    assert!(
        body.as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_string)
    );
    assert_eq!(body["resource"], "https://vault.azure.net");
}

#[test]
fn a_pod_with_several_identities_names_one() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    scene.api.put(&azure_identity("two"));
    scene.api.put(&assigned("one", &pod.uid, "two", "Assigned"));
    scene.api.put(&binding("two", "one"));
    podid_tests::node::wait_until("the second binding counts", || pod.ask().status == 400);
    assert!(
        pod.ask().body["error_description"]
            .as_str()
            .unwrap()
            .starts_with("Multiple user assigned identities exist, please specify")
    );
    assert_eq!(
        pod.ask_for("CLIENT-TWO").token(),
        Some("token-of-client-two")
    );
    let id = "/SUBSCRIPTIONS/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ONE";
    for name in ["msi_res_id", "mi_res_id"] {
        let url = format!("{TOKEN_URL}&{name}={id}");
        let answer = pod.curl(&["-H", "Metadata: True", &url]);
        assert_eq!(answer.token(), Some("token-of-client-one"), "{name}");
    }
}

#[test]
fn an_identity_whose_principal_is_known_is_served_by_object_id() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let ask = |id: &str| {
        let url = format!("{TOKEN_URL}&object_id={id}");
        pod.curl(&["-H", "Metadata:true", &url])
    };
    let unknown = ask("object-one");
    assert_eq!(unknown.status, 400);
    let text = unknown.body["error_description"].as_str().unwrap();
    assert!(text.contains("object_id"), "{text}");

    let mut known = azure_identity("one");
    known["metadata"]["annotations"] = json!({"podid.dev/principal-id": "object-one"});
    scene.api.put(&known);
    podid_tests::node::wait_until("its principal is known", || {
        ask("Object-One").token() == Some("token-of-client-one")
    });
    assert_eq!(
        ask("another").body["error_description"],
        "Identity not found"
    );
}

#[test]
fn a_pod_without_a_binding_is_told_so_at_once() {
    let scene = Scene::start(Network::Routed);
    let one = scene.pod_with_identity("one");
    let stranger = scene.test_node.add_pod().unwrap();
    scene
        .api
        .put(&stranger.running("stranger", "no-such-selector"));
    podid_tests::node::wait_until("the pod is proved", || scene.attested() == 2);
    let answer = stranger.ask();
    assert_eq!((answer.status, answer.seconds < 5.0), (400, true));
    assert_eq!(answer.body["error_description"], "Identity not found");
    assert_eq!(one.ask().status, 200);

    scene.api.put(&binding("missing", "no-such-selector"));
    podid_tests::node::wait_until("the audit line names what is missing", || {
        let answer = stranger.ask();
        assert_eq!(answer.body["error_description"], "Identity not found");
        let log = scene.daemon.log();
        log.contains("IdentityMissing") && log.contains("AzureIdentity missing")
    });
}

#[test]
fn a_pod_with_a_copied_label_and_another_service_account_is_told_why() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let mut narrowed = binding("one", "one");
    narrowed["metadata"]["annotations"] = json!({"podid.dev/service-accounts": "builder, web"});
    scene.api.put(&narrowed);
    podid_tests::node::wait_until("the service accounts count", || pod.ask().status == 400);
    let answer = pod.ask();
    assert_eq!((answer.token(), answer.seconds < 5.0), (None, true));
    assert_eq!(answer.body["error_description"], "Identity not found");
    podid_tests::node::wait_until("an Event names binding and account", || {
        scene.has_event(&[
            "ServiceAccountNotBound",
            &pod.uid,
            "AzureIdentityBinding team/one-to-one",
            "service account default;",
            "podid.dev/service-accounts",
        ])
    });
    assert_eq!(scene.identity_states("one"), ["ServiceAccountNotBound"]);

    let mut web = pod.running("one", "one");
    web["spec"]["serviceAccountName"] = "web".into();
    scene.api.put(&web);
    podid_tests::node::wait_until("as web it is served", || {
        pod.ask().token() == Some("token-of-client-one")
    });
}

#[test]
fn an_excepted_pod_gets_the_nodes_token() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("addon");
    scene.api.put(&exception("addon"));
    podid_tests::node::wait_until("the exception counts", || {
        pod.ask().token() == Some(podid_tests::node::NODE_TOKEN)
    });
}

#[test]
fn the_node_itself_is_left_alone() {
    let scene = Scene::start(Network::Bridge);
    let token = scene.daemon.get(TOKEN_URL).unwrap();
    assert!(token.contains(podid_tests::node::NODE_TOKEN), "{token}");
}

#[test]
fn a_deleted_pod_is_nobody_any_more() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().status, 200);
    scene.api.delete(&pod.running("one", "one"));
    podid_tests::node::wait_until("the pod is forgotten", || scene.attested() == 0);
    let answer = pod.curl(&["-m", "1", "-H", "Metadata:true", TOKEN_URL]);
    assert_eq!(answer.token(), None);
}

#[test]
fn tokens_are_in_no_log_and_no_metric() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().status, 200);
    let metrics = scene.daemon.get("http://127.0.0.1:8081/metrics").unwrap();
    let log = scene.daemon.log();
    assert!(log.contains("audit"), "the issue is on record");
    assert!(log.contains("client-one"), "with whose identity it was");
    assert!(!log.contains("token-of") && !metrics.contains("token-of"));
}

#[test]
fn the_daemon_asks_for_its_own_nodes_objects_only() {
    let scene = Scene::start(Network::Bridge);
    let pods = scene.api.query("pods").unwrap();
    assert!(
        pods.contains("fieldSelector=spec.nodeName%3Dnode-0"),
        "{pods}"
    );
    let assigned = scene.api.query("azureassignedidentities").unwrap();
    assert!(
        assigned.contains("labelSelector=nodename%3Dnode-0"),
        "{assigned}"
    );
}
