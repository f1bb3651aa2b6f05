use super::*;

use tokio::net::TcpStream;

/// What a probe sees: status, content type, body.
async fn fetch(address: SocketAddr, path: &str, accept: &str) -> (u16, String, String) {
    let request = reqwest::Client::new().get(format!("http://{address}{path}"));
    let response = request.header("accept", accept).send().await.unwrap();
    let content_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (
        response.status().as_u16(),
        content_type,
        response.text().await.unwrap(),
    )
}

async fn start(readiness: &Readiness, drain: &Drain) -> SocketAddr {
    crate::process::init();
    let admin = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = admin.local_addr().unwrap();
    tokio::spawn(admin.serve(pages(readiness, drain)));
    address
}

fn pages(readiness: &Readiness, drain: &Drain) -> AdminPages {
    let registry = crate::metrics::registry("test");
    AdminPages::new(readiness.clone(), drain.clone(), registry)
}

#[tokio::test]
async fn readyz_names_what_is_missing_in_text_and_json() {
    let (readiness, drain) = (Readiness::new(), Drain::new());
    let check = readiness.register("rules in place");
    let address = start(&readiness, &drain).await;

    let (status, _, body) = fetch(address, "/readyz", "*/*").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "not ready\n- rules in place (0 s)\n")
    );
    let (status, _, body) = fetch(address, "/readyz", "application/json").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 503);
    assert_eq!(body["pending"][0]["name"], "rules in place");

    check.pass();
    let (status, _, body) = fetch(address, "/readyz", "*/*").await;
    assert_eq!((status, body.as_str()), (200, "ready\n"));
}

#[tokio::test]
async fn a_draining_process_is_alive_but_not_ready() {
    let (readiness, drain) = (Readiness::new(), Drain::new());
    let address = start(&readiness, &drain).await;
    drain.start();
    assert_eq!(
        fetch(address, "/readyz", "*/*").await.2,
        "not ready\n- stopping\n"
    );
    assert_eq!(fetch(address, "/healthz", "*/*").await.0, 200);
}

#[tokio::test]
async fn metrics_are_open_metrics_and_tell_the_build() {
    let address = start(&Readiness::new(), &Drain::new()).await;
    let (status, content_type, body) = fetch(address, "/metrics", "*/*").await;
    assert_eq!((status, content_type.as_str()), (200, OPEN_METRICS));
    assert!(
        body.contains("podid_build_info{component=\"test\",version="),
        "{body}"
    );
    assert!(body.ends_with("# EOF\n"), "{body}");
}

#[tokio::test]
async fn silent_connections_keep_no_probe_out_and_are_bounded() {
    let address = start(&Readiness::new(), &Drain::new()).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(fetch(address, "/healthz", "*/*").await.0, 200);
    for ended in &silent[..300 - CONNECTIONS] {
        ended.readable().await.unwrap();
        assert_eq!(ended.try_read(&mut [0]).ok(), Some(0), "it was ended");
    }
    let last = silent.last().unwrap().try_read(&mut [0]);
    assert!(last.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn a_taken_address_is_named_with_the_flag_that_changes_it() {
    let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let taken = first.local_addr().unwrap();
    let error = bind(taken).await.unwrap_err().to_string();
    assert!(error.contains(&taken.to_string()), "{error}");
    assert!(error.contains("--admin-addr"), "{error}");
}

#[tokio::test]
async fn a_probe_at_the_socket_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let silent = probe(&socket).await.unwrap_err().to_string();
    assert!(silent.contains("admin.sock"), "{silent}");
    let (readiness, drain) = (Readiness::new(), Drain::new());
    let check = readiness.register("rules in place");
    let first = bind_socket(&socket).unwrap();
    drop(first);
    let stale = probe(&socket).await.unwrap_err();
    assert!(matches!(stale, ProbeError::Silent { .. }), "{stale:?}");

    let admin = bind_socket(&socket).unwrap();
    tokio::spawn(admin.serve(pages(&readiness, &drain)));
    let missing = probe(&socket).await.unwrap_err().to_string();
    assert_eq!(missing, "not ready - rules in place (0 s)");
    check.pass();
    probe(&socket).await.unwrap();
}

#[tokio::test]
async fn a_socket_is_its_owners_and_in_a_folder_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let _admin = bind_socket(&socket).unwrap();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = bind_socket(&folder.path().join("none/admin.sock")).unwrap_err();
    assert!(error.to_string().contains("none/admin.sock"), "{error}");
}
