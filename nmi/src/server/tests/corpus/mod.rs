//! Requests that are not what they should be, as bytes, with the statuses that a pod gets whose own request is answered
//! with a token. Each is sent twice: over TCP by a client that then shuts down its writing side, and in memory by one
//! that stays, so that only the daemon's own bounds can end the connection.

mod framing;
mod header_lines;
mod paths;
mod queries;
mod request_lines;

use std::time::Duration;

use podid_azure::ImdsIdentity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::answers::{self, HttpAnswer};
use super::{MemoryServer, Server};
use crate::testing::{RESOURCE_ID, within_limit};

/// A head has ten seconds, and the refusal of half of one another.
const BOUND: Duration = Duration::from_secs(11);

/// One connection.
pub(super) struct Case {
    /// All that the client says.
    said: Vec<u8>,
    /// Statuses of the answers, in order. None: the connection is closed without one. A 408 at the end is that of a
    /// client which stays and says no more.
    statuses: &'static [u16],
}

fn case(said: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Case {
    Case {
        said: said.into(),
        statuses,
    }
}

pub(super) const PATH: &str = "/metadata/identity/oauth2/token";
pub(super) const QUERY: &str = "api-version=2018-02-01&resource=https://vault.azure.net";

/// A request for a token with this target.
pub(super) fn get(target: &str) -> String {
    with_lines(&format!("GET {target} HTTP/1.1"), "")
}

/// A request with this first line, and these lines besides those that every client sends.
fn with_lines(first: &str, lines: &str) -> String {
    format!("{first}\r\nHost: 169.254.169.254\r\nMetadata: true\r\n{lines}\r\n")
}

/// The request that is answered with a token.
pub(super) fn good() -> String {
    get(&format!("{PATH}?{QUERY}"))
}

fn all() -> Vec<Case> {
    [
        framing::cases(),
        header_lines::cases(),
        paths::cases(),
        queries::cases(),
        request_lines::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The beginning of a case.
fn shown(case: &Case) -> String {
    case.said.escape_ascii().map(char::from).take(300).collect()
}

/// What is wrong with the answers to a case.
fn fault(case: &Case, heard: &[u8], expected: &[u16]) -> Option<String> {
    let shown = shown(case);
    let answers = match answers::read(heard) {
        Ok(answers) => answers,
        Err(error) => return Some(format!("{shown}\n  {error}")),
    };
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let foreign = answers
        .iter()
        .filter_map(HttpAnswer::token)
        .any(|token| token != "a.b.c");
    (statuses != expected || foreign)
        .then(|| format!("{shown}\n  {statuses:?}, expected {expected:?}"))
}

fn assert_none(faults: &[String], cases: &[Case]) {
    assert!(
        faults.is_empty(),
        "{} of {} cases\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
}

async fn over_tcp(server: &Server, said: &[u8]) -> Vec<u8> {
    let mut stream = server.connect().await;
    let mut heard = Vec::new();
    let (mut read, mut write) = stream.split();
    let speaking = async {
        // Somebody who is refused half-way through may be cut off; what was said counts.
        let _cut_off = write.write_all(said).await;
        let _cut_off = write.shutdown().await;
    };
    let _cut_off = tokio::join!(speaking, read.read_to_end(&mut heard)).1;
    heard
}

#[tokio::test]
async fn each_gets_its_answer_and_the_next_good_request_a_token() {
    within_limit(async {
        let server = Server::of_pod().await;
        server.bench.keep();
        let cases = all();
        let mut faults = Vec::new();
        for case in &cases {
            let expected = case.statuses.strip_suffix(&[408]).unwrap_or(case.statuses);
            let heard = tokio::time::timeout(BOUND, over_tcp(&server, &case.said)).await;
            faults.extend(match heard {
                Ok(heard) => fault(case, &heard, expected),
                Err(_) => Some(format!("{}\n  is not ended", shown(case))),
            });
            let next = answers::read(&over_tcp(&server, good().as_bytes()).await).unwrap();
            assert_eq!(next[0].token(), Some("a.b.c"));
        }
        assert_none(&faults, &cases);
        let asked = server.bench.imds.asked.lock().unwrap();
        let own = ImdsIdentity::ResourceId(RESOURCE_ID.into());
        assert!(asked.iter().all(|identity| *identity == own), "{asked:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn none_keeps_its_connection_beyond_the_bounds() {
    within_limit(async {
        let server = MemoryServer::of_pod();
        server.bench.keep();
        let cases = all();
        let mut faults = Vec::new();
        for case in &cases {
            let begun = Instant::now();
            let heard = server.converse(&case.said).await;
            faults.extend(fault(case, &heard, case.statuses));
            if begun.elapsed() > BOUND {
                faults.push(format!("{}\n  {:?}", shown(case), begun.elapsed()));
            }
        }
        assert_none(&faults, &cases);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_has_ten_seconds() {
    within_limit(async {
        for (pause, expected) in [(1, 200), (1000, 408)] {
            let server = MemoryServer::of_pod();
            let begun = Instant::now();
            let (said, pause) = (good(), Duration::from_millis(pause));
            let heard = server.converse_slowly(said.as_bytes(), pause).await;
            let answers = answers::read(&heard).unwrap();
            assert_eq!(answers[0].status, expected);
            assert!(begun.elapsed() <= Duration::from_secs(11));
        }
    })
    .await;
}
