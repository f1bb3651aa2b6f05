//! Tokens that are kept: for whom, for how long, and how often the metadata service is asked.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use podid_core::imds_limit::AT_ONCE_OF_ONE;
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Pod, TOKEN_URL, assigned, azure_identity, binding, wait_until};

use crate::requests::metadata;
use crate::scene::{NETWORKS, Scene, nmi};

/// A second pod with the identity of another, attested.
fn pod_of_same_identity(scene: &Scene, name: &str, identity: &str) -> Pod {
    let before = scene.attested();
    let pod = scene.test_node.add_pod().unwrap();
    let assignment = assigned(name, &pod.uid, identity, "Assigned");
    scene.api.put(&assignment);
    scene.api.put(&pod.running(name, identity));
    wait_until("the second pod is attested", || {
        scene.attested() == before + 1
    });
    pod
}

#[test]
fn pods_of_one_identity_share_a_token_and_nobody_else_gets_it() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let one = scene.pod_with_identity("one");
        let two = pod_of_same_identity(&scene, "two", "one");
        let stranger = scene.pod_with_identity("stranger");
        for pod in [&one, &two, &one] {
            assert_eq!(pod.ask().token(), Some("token-of-client-one"));
        }
        assert_eq!(stranger.ask_for("client-one").status, 400);
        // A pod that nobody knows has the label, and no token.
        let unknown = scene.test_node.add_pod().unwrap();
        let answer = unknown.curl(&["-m", "1", "-H", "Metadata:true", TOKEN_URL]);
        assert_eq!(answer.token(), None);
        assert_eq!(scene.imds.client_ids(), ["client-one"], "{network:?}");
        let from_cache = scene.daemon.metric("podid_nmi_tokens_from_cache_total");
        assert_eq!(from_cache, Some(2));
        assert_eq!(scene.daemon.metric("podid_nmi_tokens_kept"), Some(1));
    }
}

#[test]
fn first_requests_that_come_together_are_one_question() {
    let scene = Scene::start(Network::Bridge);
    let one = scene.pod_with_identity("one");
    let two = pod_of_same_identity(&scene, "two", "one");
    scene.imds.hold(true);
    thread::scope(|scope| {
        let pods = [&one, &two].into_iter().cycle().take(20);
        let asking: Vec<_> = pods.map(|pod| scope.spawn(|| pod.ask())).collect();
        wait_until("the metadata service is asked", || {
            !scene.imds.client_ids().is_empty()
        });
        scene.imds.hold(false);
        for one in asking {
            assert_eq!(one.join().unwrap().token(), Some("token-of-client-one"));
        }
    });
    assert_eq!(scene.imds.client_ids().len(), 1);
}

#[test]
fn a_kept_token_is_served_while_the_metadata_service_is_not_there() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().status, 200);
    for status in [429, 410, 500] {
        scene.imds.fail(Some(status));
        assert_eq!(pod.ask().token(), Some("token-of-client-one"), "{status}");
        let bypassing = format!("{TOKEN_URL}&bypass_cache=true");
        let answer = pod.curl(&["-H", "Metadata:true", &bypassing]);
        assert_eq!(answer.status, status, "the wish is passed on");
        assert_eq!(pod.ask().status, 200, "and does no harm");
    }
    scene.imds.fail(None);
    scene.imds.hold(true);
    assert_eq!(pod.ask().status, 200);
    assert_eq!(
        scene.imds.client_ids().len(),
        4,
        "once, and thrice past the cache"
    );
}

#[test]
fn a_pod_without_its_binding_is_refused_although_its_token_is_kept() {
    let scene = Scene::start(Network::Bridge);
    let one = scene.pod_with_identity("one");
    let two = pod_of_same_identity(&scene, "two", "one");
    for pod in [&one, &two] {
        assert_eq!(pod.ask().status, 200);
    }
    scene.api.delete(&binding("one", "one"));
    for pod in [&one, &two] {
        wait_until("the pod is not bound", || pod.ask().status == 400);
        assert_eq!(pod.ask().token(), None);
    }
    wait_until("the token is dropped", || {
        scene.daemon.metric("podid_nmi_tokens_kept") == Some(0)
    });
    assert_eq!(scene.imds.client_ids().len(), 1);
    scene.api.put(&binding("one", "one"));
    wait_until("the pod is bound again", || one.ask().status == 200);
    assert!(scene.imds.client_ids().len() > 1, "by a new token");
}

#[test]
fn a_token_goes_with_its_last_pod() {
    let scene = Scene::start(Network::Bridge);
    let one = scene.pod_with_identity("one");
    assert_eq!(one.ask().status, 200);
    scene.api.delete(&one.running("one", "one"));
    wait_until("the token is dropped", || {
        scene.daemon.metric("podid_nmi_tokens_kept") == Some(0)
    });
}

#[test]
fn an_identity_that_was_made_anew_gets_a_new_token() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));
    scene.imds.make_anew("one", "client-anew");
    let mut anew = azure_identity("one");
    anew["spec"]["clientID"] = "client-anew".into();
    scene.api.put(&anew);
    wait_until("the pod gets the new identity's token", || {
        pod.ask().token() == Some("token-of-client-anew")
    });
    assert_eq!(scene.imds.client_ids(), ["client-one", "client-anew"]);
}

#[test]
fn a_pod_that_asks_for_everything_leaves_others_their_turns() {
    let scene = Scene::start(Network::Bridge);
    let greedy = scene.pod_with_identity("greedy");
    let modest = scene.pod_with_identity("modest");
    scene.imds.hold(true);
    let open = |number: usize| -> TcpStream {
        let path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=r-";
        let head = format!("GET {path}{number} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\n\r\n");
        let mut stream = TcpStream::connect(metadata()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let streams = in_namespace(greedy.namespace(), || (0..64).map(open).collect::<Vec<_>>());
    let streams = streams.unwrap();
    wait_until("its first requests are under way", || {
        scene.imds.resources().len() == AT_ONCE_OF_ONE
    });
    thread::scope(|scope| {
        let asking = scope.spawn(|| modest.ask());
        wait_until("the other pod's is, too", || {
            scene
                .imds
                .client_ids()
                .contains(&"client-modest".to_owned())
        });
        scene.imds.hold(false);
        assert_eq!(
            asking.join().unwrap().token(),
            Some("token-of-client-modest")
        );
    });
    let order = scene.imds.client_ids();
    let place = order.iter().position(|id| id == "client-modest").unwrap();
    assert_eq!(place, AT_ONCE_OF_ONE, "{order:?}");
    drop(streams);
    assert_eq!(modest.ask().status, 200);
}

#[test]
fn no_fault_brings_a_token_to_light() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let excepted = format!("{TOKEN_URL}&bypass_cache=true");
    assert_eq!(pod.ask().status, 200);
    for status in [400, 404, 410, 429, 500, 502] {
        scene.imds.fail(Some(status));
        let _refused = pod.curl(&["-H", "Metadata:true", &excepted]);
        scene.imds.fail(None);
        assert_eq!(pod.ask().status, 200);
    }
    scene.imds.make_anew("one", "client-anew");
    assert_eq!(pod.curl(&["-H", "Metadata:true", &excepted]).status, 400);
    wait_until("an Event says so", || {
        scene.has_event(&["ClientIdMismatch"])
    });
    let metrics = scene.daemon.get("http://127.0.0.1:8081/metrics").unwrap();
    let status = scene.daemon.status(&nmi(), &["-o", "json"]).unwrap();
    for (place, text) in [
        ("status", String::from_utf8(status.stdout).unwrap()),
        ("log", scene.daemon.log()),
        ("metrics", metrics),
        ("Events", scene.api.events().concat()),
    ] {
        assert!(!text.is_empty() && !text.contains("token-of"), "{place}");
    }
}

#[test]
fn a_pod_that_comes_finds_the_token_that_pods_of_its_identity_have_used() {
    let scene = Scene::start(Network::Bridge);
    let one = scene.pod_with_identity("one");
    assert_eq!(one.ask().status, 200);
    scene.api.delete(&one.running("one", "one"));
    wait_until("its token is dropped", || {
        scene.daemon.metric("podid_nmi_tokens_kept") == Some(0)
    });
    let two = pod_of_same_identity(&scene, "two", "one");
    wait_until("the token is fetched ahead", || {
        scene.daemon.metric("podid_nmi_tokens_kept") == Some(1)
    });
    assert_eq!(scene.imds.client_ids().len(), 2);
    assert_eq!(two.ask().token(), Some("token-of-client-one"));
    assert_eq!(
        scene.imds.client_ids().len(),
        2,
        "none for the pod's first request"
    );
}
