//! Clients that send their request and shut down their writing side, and clients that are gone.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use crate::server::testing::TARGET;
use crate::testing::within_limit;

/// Most connections of one attested pod (`server::limits`).
const MOST: usize = 128;

fn request() -> Vec<u8> {
    format!("GET {TARGET} HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n").into_bytes()
}

/// A client that says so much and then shuts down its writing side.
async fn say(server: &Server, words: &[u8]) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(words).await.unwrap();
    stream.shutdown().await.unwrap();
    stream
}

/// All that comes until the server closes the connection.
async fn hear(mut stream: TcpStream) -> String {
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    heard
}

/// Waits until requests are under way to the metadata service, which is held.
async fn under_way(server: &Server, count: usize) {
    let imds = &server.bench.imds;
    while imds.held.receiver_count() != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn all_their_requests_are_answered_and_then_the_connection_is_closed() {
    within_limit(async {
        let server = Server::of_pod().await;
        for count in [1, 2, 50] {
            let answers = hear(say(&server, &request().repeat(count)).await).await;
            assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), count);
            assert_eq!(answers.matches("a.b.c").count(), count);
        }
        let probe = hear(say(&server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
        assert!(probe.contains("Required metadata header"), "{probe}");
        for half in ["", "GET", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let silence = hear(say(&server, half.as_bytes()).await).await;
            assert_eq!(silence, "", "{half:?} is no request");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_still_awaited_is_waited_for() {
    within_limit(async {
        let server = Server::of_pod().await;
        server.bench.imds.held.send_replace(true);
        for count in [1, 2] {
            let client = say(&server, &request().repeat(count)).await;
            under_way(&server, 1).await;
            let hearing = tokio::spawn(hear(client));
            // Its end has arrived long before somebody else is answered.
            let probe = say(&server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert!(hear(probe).await.starts_with("HTTP/1.1 400 "));
            assert!(!hearing.is_finished());
            server.bench.imds.held.send_replace(false);
            assert_eq!(hearing.await.unwrap().matches("a.b.c").count(), count);
            server.bench.imds.held.send_replace(true);
        }
    })
    .await;
}

#[tokio::test]
async fn work_for_a_client_that_resets_its_connection_ends_at_once() {
    within_limit(async {
        let server = Server::of_pod().await;
        server.bench.imds.held.send_replace(true);
        let mut client = server.connect().await;
        client.write_all(&request()).await.unwrap();
        under_way(&server, 1).await;
        client.set_zero_linger().unwrap();
        drop(client);
        under_way(&server, 0).await;
    })
    .await;
}

#[tokio::test]
async fn those_who_may_be_gone_make_room_for_others_of_their_pod() {
    within_limit(async {
        let server = Server::of_pod().await;
        server.bench.imds.held.send_replace(true);
        let mut clients = Vec::new();
        for _ in 0..MOST {
            clients.push(say(&server, &request()).await);
        }
        // Each request that waits follows the snapshots.
        let idle = 1;
        while server.bench.snapshots.receiver_count() != idle + MOST {
            tokio::task::yield_now().await;
        }
        let newcomer = say(&server, &request()).await;
        let metrics = &server.bench.service.metrics;
        while metrics.connections_ended.get() == 0 {
            tokio::task::yield_now().await;
        }
        server.bench.imds.held.send_replace(false);
        assert!(hear(newcomer).await.contains("a.b.c"));
        let heard = futures::future::join_all(clients.into_iter().map(hear)).await;
        let served = heard.iter().filter(|one| one.contains("a.b.c")).count();
        assert_eq!(served, MOST - 1, "the longest waiting one was ended");
    })
    .await;
}
