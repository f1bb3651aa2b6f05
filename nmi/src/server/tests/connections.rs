//! How long connections are kept, and how many.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use crate::testing::within_limit;

/// The answer to a request, up to where the server waits for the next one or closes.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

const PROBE: &[u8] = b"GET /metadata/identity/oauth2/token HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_json() {
    within_limit(async {
        let server = Server::of_stranger().await;
        let mut stream = server.connect().await;
        for _ in 0..2 {
            let answer = exchange(&mut stream, PROBE).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(answer.contains("Required metadata header"), "{answer}");
        }
        let answer = exchange(&mut stream, b"no HTTP at all\r\n\r\n").await;
        assert!(answer.contains("\"error\":\"invalid_request\""), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_draining_server_closes_idle_connections_and_takes_no_more() {
    within_limit(async {
        let server = Server::of_stranger().await;
        let mut stream = server.connect().await;
        exchange(&mut stream, PROBE).await;
        server.drain.start();
        server.task.await.unwrap().unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(TcpStream::connect(server.address).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn callers_beyond_the_limit_end_the_longest_idle_connection() {
    within_limit(async {
        let server = Server::of_stranger().await;
        let mut first = server.connect().await;
        exchange(&mut first, PROBE).await;
        let mut others = Vec::new();
        // One address that is not attested may have 32 connections.
        for _ in 0..32 {
            let mut stream = server.connect().await;
            exchange(&mut stream, PROBE).await;
            others.push(stream);
        }
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(server.bench.service.metrics.connections_ended.get(), 1);
        assert_eq!(server.bench.service.metrics.connections_refused.get(), 0);
    })
    .await;
}
