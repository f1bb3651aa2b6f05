//! `podid-nmi status`: what the daemon says about itself to a person on the node, and to nobody else.

use podid_lab::Network;
use podid_tests::node::{assigned, azure_identity, binding, wait_until};
use serde_json::Value;

use crate::scene::{NETWORKS, Scene, nmi};

impl Scene {
    fn status(&self, flags: &[&str]) -> String {
        let output = self.daemon.status(&nmi(), flags).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn status_json(&self) -> Value {
        serde_json::from_str(&self.status(&["-o", "json"])).unwrap()
    }
}

/// The pod of this name in a status.
fn pod<'a>(status: &'a Value, name: &str) -> &'a Value {
    let pods = status["pods"].as_array().unwrap();
    pods.iter().find(|pod| pod["name"] == name).unwrap()
}

#[test]
fn it_names_pods_identities_tokens_and_errors_and_no_token() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let one = scene.pod_with_identity("one");
        let nobody = scene.test_node.add_pod().unwrap();
        scene.api.put(&nobody.running("nobody", "no-binding"));
        wait_until("both are attested", || scene.attested() == 2);
        assert_eq!(one.ask().token(), Some("token-of-client-one"));
        for _ in 0..3 {
            assert_eq!(nobody.ask().status, 400);
        }
        let status = scene.status_json();
        assert_eq!(status["ready"], true, "{status}");
        assert_eq!(status["interception"]["engine"], "nftables");
        assert_eq!(status["interception"]["activeDaemon"], "This");
        assert_eq!(status["interception"]["endpoints"], 2);
        let served = pod(&status, "one");
        assert_eq!(served["state"], "Served");
        assert_eq!(served["addresses"][0], one.address.to_string());
        assert_eq!(served["identities"][0]["state"], "Ready");
        assert_eq!(served["identities"][0]["clientId"], "client-one");
        assert_eq!(pod(&status, "nobody")["identities"][0]["state"], "NotBound");
        let tokens = status["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), 1, "{status}");
        assert_eq!(tokens[0]["clientId"], "client-one");
        assert_eq!(tokens[0]["pods"], 1);
        assert!(tokens[0]["secondsLeft"].as_u64().unwrap() > 80_000);
        let errors = status["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{status}");
        assert_eq!(errors[0]["outcome"], "NotBound");
        assert_eq!(errors[0]["count"], 3);
        assert!(errors[0]["caller"].as_str().unwrap().ends_with("/nobody"));
        for form in ["table", "json", "yaml"] {
            let text = scene.status(&["-o", form]);
            assert!(
                text.contains("client-one") && text.contains("NotBound"),
                "{text}"
            );
            assert!(!text.contains("token-of"), "{text}");
        }
    }
}

#[test]
fn it_says_why_a_pod_is_not_served() {
    let scene = Scene::start(Network::Bridge);
    let waiting = scene.test_node.add_pod().unwrap();
    scene.api.put(&azure_identity("waiting"));
    scene.api.put(&binding("waiting", "waiting"));
    scene
        .api
        .put(&assigned("waiting", &waiting.uid, "waiting", "Created"));
    scene.api.put(&waiting.running("waiting", "waiting"));
    let mut elsewhere = scene.test_node.add_pod().unwrap().running("elsewhere", "x");
    elsewhere["status"]["podIP"] = "10.244.0.250".into();
    elsewhere["status"]["podIPs"] = serde_json::json!([{"ip": "10.244.0.250"}]);
    scene.api.put(&elsewhere);
    wait_until("one is attested and the other is not", || {
        let status = scene.status_json();
        let states = ["waiting", "elsewhere"].map(|name| {
            let all = status["pods"].as_array().unwrap();
            let one = all.iter().find(|pod| pod["name"] == name);
            one.map(|pod| pod["state"].clone()).unwrap_or_default()
        });
        states == ["Served", "NotAttested"]
    });
    let status = scene.status_json();
    assert_eq!(
        pod(&status, "waiting")["identities"][0]["state"],
        "NotAssigned"
    );
    let why = pod(&status, "elsewhere")["reason"].as_str().unwrap();
    assert!(!why.is_empty());
}

#[test]
fn pods_and_the_admin_address_do_not_have_it() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let by_address = scene.daemon.get("http://127.0.0.1:8081/status").unwrap();
    assert!(!by_address.contains("client-one"), "{by_address}");
    let ready = scene.daemon.get("http://127.0.0.1:8081/readyz").unwrap();
    assert_eq!(ready, "ready\n", "the address answers");
    let answer = pod.curl(&["-H", "Metadata:true", "http://169.254.169.254/status"]);
    assert_eq!(answer.status, 404);
}

#[test]
fn without_a_daemon_it_says_where_it_has_looked() {
    let output = std::process::Command::new(nmi())
        .args(["status", "--admin-socket", "/nowhere/admin.sock"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("/nowhere/admin.sock"), "{error}");
}
