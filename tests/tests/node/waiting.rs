//! What is not there yet is waited for, and not longer than needed.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use podid_lab::Network;
use podid_tests::node::{
    Daemon, TOKEN_URL, assigned, azure_identity, binding, pod as pod_object, wait_until,
};

use crate::scene::{Scene, nmi};

#[test]
fn a_request_waits_for_its_assignment_and_is_served_at_once_then() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.test_node.add_pod().unwrap();
    scene.api.put(&azure_identity("one"));
    scene.api.put(&binding("one", "one"));
    scene.api.put(&assigned("one", &pod.uid, "one", "Created"));
    scene.api.put(&pod.running("one", "one"));
    wait_until("the pod is proved", || scene.attested() == 1);
    thread::scope(|scope| {
        let asking = scope.spawn(|| (pod.ask(), Instant::now()));
        // Long enough for the request to be there and waiting; no outcome depends on it.
        thread::sleep(Duration::from_millis(300));
        assert!(!asking.is_finished(), "there is nothing to serve yet");
        let assigned_at = Instant::now();
        scene.api.put(&assigned("one", &pod.uid, "one", "Assigned"));
        let (answer, answered_at) = asking.join().unwrap();
        assert_eq!(answer.token(), Some("token-of-client-one"));
        let took = answered_at - assigned_at;
        // Half of what a request may wait: it was woken, and did not run into its limit.
        assert!(
            took < Duration::from_secs(10),
            "assigned to answered took {took:?}"
        );
    });
}

#[test]
fn an_assignment_that_does_not_come_is_a_retryable_answer() {
    let scene = Scene::with_flags(Network::Bridge, &["--assign-wait", "500ms"]);
    let pod = scene.pod_with_identity("one");
    scene.api.put(&assigned("one", &pod.uid, "one", "Created"));
    wait_until("the assignment is taken back", || pod.ask().status == 503);
    let answer = pod.curl(&["-i", "-H", "Metadata:true", TOKEN_URL]);
    assert!(answer.seconds < 5.0);
}

#[test]
fn a_failed_assignment_is_a_no_at_once_also_for_those_who_wait() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.test_node.add_pod().unwrap();
    scene.api.put(&azure_identity("one"));
    scene.api.put(&binding("one", "one"));
    scene.api.put(&assigned("one", &pod.uid, "one", "Created"));
    scene.api.put(&pod.running("one", "one"));
    wait_until("the pod is proved", || scene.attested() == 1);
    let mut failed = assigned("one", &pod.uid, "one", "Failed");
    failed["status"]["reason"] = "LinkedAuthorizationFailed".into();
    failed["status"]["message"] = "grant the operator Managed Identity Operator".into();
    thread::scope(|scope| {
        // Long enough that only the failure can have ended it in time.
        let waiting = scope.spawn(|| pod.curl(&["-m", "15", "-H", "Metadata:true", TOKEN_URL]));
        thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished(), "there is nothing to serve yet");
        scene.api.put(&failed);
        for answer in [waiting.join().unwrap(), pod.ask()] {
            assert_eq!(answer.status, 400);
            assert_eq!(answer.body["error_description"], "Identity not found");
        }
    });
    let log = scene.daemon.log();
    assert!(
        log.contains("LinkedAuthorizationFailed"),
        "the cause is on record"
    );
    assert!(scene.imds.client_ids().is_empty(), "IMDS is not asked");
}

#[test]
fn requests_that_wait_for_the_metadata_service_ask_it_one_at_a_time() {
    let scene = Scene::with_flags(Network::Bridge, &["--assign-wait", "3s"]);
    let pod = scene.pod_with_identity("one");
    scene.imds.forget(1000);
    let asking = 10;
    thread::scope(|scope| {
        let all: Vec<_> = (0..asking).map(|_| scope.spawn(|| pod.ask())).collect();
        for one in all {
            assert_eq!(one.join().unwrap().status, 503);
        }
    });
    let asked = scene.imds.client_ids().len();
    // Each asks once before anybody knows, and then they take turns: after 0.25, 0.75 and 1.75 s.
    assert!(asked <= asking + 4, "{asked} requests");
    scene.imds.forget(0);
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));
}

#[test]
fn the_lag_of_the_metadata_service_is_bridged() {
    let scene = Scene::start(Network::Routed);
    let pod = scene.pod_with_identity("one");
    scene.imds.forget(2);
    assert_eq!(pod.ask().token(), Some("token-of-client-one"));
    assert_eq!(scene.imds.client_ids().len(), 3);
}

#[test]
fn a_pod_that_calls_before_the_api_server_knows_it_is_served_on_its_next_try() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.test_node.add_pod().unwrap();
    scene.api.put(&azure_identity("one"));
    scene.api.put(&binding("one", "one"));
    scene.api.put(&assigned("one", &pod.uid, "one", "Assigned"));
    scene.api.put(&pod_object("one", &pod.uid, "one", None));
    thread::scope(|scope| {
        let asking = scope.spawn(|| pod.curl(&["--retry", "3", "-H", "Metadata:true", TOKEN_URL]));
        thread::sleep(Duration::from_millis(300));
        scene.api.put(&pod.running("one", "one"));
        let answer = asking.join().unwrap();
        assert_eq!((answer.status, answer.exit), (200, 0));
    });
}

#[test]
fn an_address_the_kernel_does_not_confirm_is_refused_with_an_event() {
    let scene = Scene::with_flags(Network::Bridge, &["--attest-wait", "300ms"]);
    let pod = scene.test_node.add_pod().unwrap();
    scene.api.put(&azure_identity("one"));
    scene.api.put(&binding("one", "one"));
    scene.api.put(&assigned("one", &pod.uid, "one", "Assigned"));
    let elsewhere = "10.244.0.200".parse().unwrap();
    scene
        .api
        .put(&pod_object("one", &pod.uid, "one", Some(elsewhere)));
    wait_until("an Event says so", || {
        scene
            .api
            .events()
            .iter()
            .any(|event| event.contains("NotAttested"))
    });
    let answer = pod.ask();
    assert_eq!((answer.status, answer.token()), (503, None));
    assert_eq!(answer.body["error"], "service_unavailable");
}

#[test]
fn probes_are_answered_while_the_api_server_is_down() {
    let mut scene = Scene::start(Network::Bridge);
    let known = scene.pod_with_identity("one");
    let stranger = scene.test_node.add_pod().unwrap();
    scene.api.stop();
    for pod in [&known, &stranger] {
        let probe = pod.curl(&["-m", "3", TOKEN_URL]);
        assert_eq!(probe.status, 400);
        assert_eq!(
            probe.body["error_description"],
            "Required metadata header not specified"
        );
    }
    assert_eq!(known.ask().status, 200, "what is known stays known");

    scene.daemon.end(Signal::SIGKILL).unwrap();
    scene.daemon = Daemon::spawn(&nmi(), &scene.test_node, &scene.api, &[]).unwrap();
    wait_until(
        "a daemon that has never seen the API server answers probes",
        || known.curl(&["-m", "3", TOKEN_URL]).status == 400,
    );
    assert!(!scene.daemon.is_ready());
}
