//! Requests that are not what they should be.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::thread;
use std::time::Duration;

use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{Pod, TOKEN_URL, wait_until};

use crate::scene::{NETWORKS, Scene};

pub(crate) const PATH: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=r";

pub(crate) fn metadata() -> SocketAddrV4 {
    "169.254.169.254:80".parse().unwrap()
}

/// Sends bytes; the status line and the JSON of the answer.
fn raw(pod: &Pod, bytes: &[u8]) -> (String, serde_json::Value) {
    let answer = pod.send(metadata(), bytes).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default().to_owned();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn every_refusal_is_json() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let long = "a".repeat(9000);
    let huge = "a".repeat(200_000);
    let lines: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let ask = |start: &str, headers: &str| {
        format!("{start} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
    };
    let get = format!("GET {PATH}");
    let flag = "metadata: true\r\n";
    let table = [
        ("400", "GARBAGE\r\n\r\n".to_owned()),
        ("400", "GET / HTTP/1.1\r\nbad header\r\n\r\n".to_owned()),
        ("400", ask(&get, "")),
        (
            "400",
            ask(&get, "metadata: true\r\nX-Forwarded-For: 1.2.3.4\r\n"),
        ),
        (
            "405",
            ask(
                &format!("POST {PATH}"),
                "metadata: true\r\ncontent-length: 0\r\n",
            ),
        ),
        ("404", ask("GET /latest/meta-data/", flag)),
        (
            "404",
            ask(
                "GET /metadata/identity/getplatformmetadata?cred-api-version=2.0",
                flag,
            ),
        ),
        (
            "403",
            ask("GET /metadata/instance?api-version=2021-02-01", flag),
        ),
        (
            "400",
            ask(
                "GET /metadata/identity\\oauth2\\token?api-version=2018-02-01&resource=r",
                flag,
            ),
        ),
        ("414", ask(&format!("{get}&x={long}"), flag)),
        (
            "431",
            ask(&get, &format!("metadata: true\r\nx: {long}{long}\r\n")),
        ),
        (
            "431",
            ask(&get, &format!("metadata: true\r\nx: {huge}\r\n")),
        ),
        ("431", ask(&get, &lines)),
        ("400", ask(&get, &format!("{flag}host: x\r\n"))),
        ("400", ask(&get, &format!("{flag}HOST: evil\r\n"))),
        ("400", format!("{get} HTTP/1.1\r\nhost: a b\r\n{flag}\r\n")),
        ("400", format!("{get} HTTP/1.1\r\n{flag}\r\n")),
    ];
    for (status, request) in table {
        let shown: String = request.chars().take(90).collect();
        let (line, body) = raw(&pod, request.as_bytes());
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown}: {line}"
        );
        assert!(body["error"].is_string(), "{shown}: {body}");
        assert!(body["error_description"].is_string(), "{shown}: {body}");
    }
    assert_eq!(pod.ask().status, 200, "and the daemon still serves");
    assert!(!scene.daemon.log().contains("panicked"));
}

#[test]
fn a_client_that_sends_half_a_request_is_told_and_cut_off() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let (line, body) = raw(&pod, b"GET /metadata HTTP/1.1\r\nhost:");
    assert!(line.starts_with("HTTP/1.1 408 "), "{line}");
    assert_eq!(body["error"], "invalid_request");
}

fn connect(pod: &Pod) -> TcpStream {
    let connecting = in_namespace(pod.namespace(), || TcpStream::connect(metadata()));
    connecting.unwrap().unwrap()
}

#[test]
fn a_client_that_closes_its_half_after_the_request_gets_its_token() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        scene.imds.hold(true);
        let mut stream = connect(&pod);
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\n\r\n");
        stream.write_all(request.repeat(2).as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        wait_until("the metadata service is asked", || {
            !scene.imds.client_ids().is_empty()
        });
        scene.imds.hold(false);
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(
            answers.matches("token-of-client-one").count(),
            2,
            "{network:?}: {answers}"
        );
    }
}

#[test]
fn a_client_that_reads_no_answers_is_cut_off() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let mut stream = connect(&pod);
    // Longer than the daemon waits for it to read.
    stream
        .set_write_timeout(Some(Duration::from_secs(90)))
        .unwrap();
    let request = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\n\r\n");
    let cut_off = loop {
        if let Err(error) = stream.write_all(request.repeat(100).as_bytes()) {
            break error;
        }
    };
    assert!(
        matches!(
            cut_off.kind(),
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
        ),
        "{cut_off}"
    );
    assert_eq!(pod.ask().status, 200);
}

#[test]
fn a_connection_is_used_again() {
    let scene = Scene::start(Network::Routed);
    let pod = scene.pod_with_identity("one");
    let one = format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\n\r\n");
    let last =
        format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nmetadata: true\r\nconnection: close\r\n\r\n");
    let answer = pod
        .send(metadata(), format!("{one}{one}{last}").as_bytes())
        .unwrap();
    assert_eq!(answer.matches("token-of-client-one").count(), 3, "{answer}");
}

#[test]
fn the_requests_of_azure_identity_4_5_are_served() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    let with_slash = TOKEN_URL.replace("/token?", "/token/?");
    let answer = pod.curl(&["-H", "Metadata:true", &with_slash]);
    assert_eq!(answer.token(), Some("token-of-client-one"));
    let twice = TOKEN_URL.replace("/token?", "/token//?");
    let answer = pod.curl(&["-H", "Metadata:true", &twice]);
    assert_eq!((answer.status, answer.token()), (400, None));
}

#[test]
fn a_client_id_in_any_letter_case_is_never_the_default_token() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    for name in ["CLIENT_ID", "Client_id", "client_%49D"] {
        let ask = |id: &str| {
            let url = format!("{TOKEN_URL}&{name}={id}");
            pod.curl(&["-H", "Metadata:true", &url])
        };
        assert_eq!(ask("foreign").status, 400, "{name}");
        assert_eq!(ask("client-one").token(), Some("token-of-client-one"));
    }
}

#[test]
fn the_listeners_ports_are_closed_to_those_who_were_not_diverted() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        for port in [2579, 2580] {
            let url = format!("http://{}:{port}{PATH}", scene.test_node.address);
            let answer = pod.curl(&["-m", "3", "-H", "Metadata:true", &url]);
            assert_eq!((answer.status, answer.exit), (0, 7), "{network:?} {port}");
        }
    }
}

#[test]
fn other_ports_of_the_metadata_address_are_closed() {
    for network in NETWORKS {
        let scene = Scene::start(network);
        let pod = scene.pod_with_identity("one");
        for port in [81, 2579, 2580, 8081] {
            let url = format!("http://169.254.169.254:{port}/");
            assert_eq!(pod.curl(&["-m", "1", &url]).status, 0, "{network:?} {port}");
        }
    }
}

#[test]
fn many_at_once_are_all_answered() {
    let scene = Scene::start(Network::Bridge);
    let pod = scene.pod_with_identity("one");
    thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| pod.ask().status)).collect();
        for one in asking {
            assert_eq!(one.join().unwrap(), 200);
        }
    });
    assert_eq!(pod.curl(&["-H", "Metadata:true", TOKEN_URL]).status, 200);
}
