//! Lives a history: says it to a server in memory, and holds what is heard to the invariants.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use podid_azure::ImdsIdentity;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime;
use tokio::time::{Instant, timeout};

use super::history::{Caller, End, History};
use crate::server::tests::answers::{self, HttpAnswer};
use crate::server::tests::corpus::good;
use crate::server::tests::memory::MemoryServer;
use crate::testing::RESOURCE_ID;

/// A head has ten seconds, and the refusal of half of one another.
const HEAD: Duration = Duration::from_secs(11);
/// What a request may wait at most: for its pod to be attested, and for the metadata service.
const WAIT: Duration = Duration::from_secs(25);
/// Most pieces in which a client says what it says.
const PIECES: usize = 500;
/// Statuses of answers, by `docs/decisions/node-answers.md`.
const STATUSES: [u16; 9] = [200, 400, 403, 404, 405, 408, 414, 431, 503];

/// What came of histories.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Requests that were said.
    pub(super) requests: u64,
    answers: BTreeMap<u16, u64>,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (status, count) in &other.answers {
            *self.answers.entry(*status).or_default() += count;
        }
    }

    /// Answers with a token.
    pub(super) fn tokens(&self) -> u64 {
        self.answers.get(&200).copied().unwrap_or_default()
    }

    /// Answers without one.
    pub(super) fn refusals(&self) -> u64 {
        self.answers.values().sum::<u64>() - self.tokens()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, answers:", self.requests)?;
        let mut answers = self.answers.iter();
        answers.try_for_each(|(status, count)| write!(f, " {count}×{status}"))
    }
}

/// Lives a history.
///
/// # Errors
/// The invariant that it breaks.
pub(super) fn live(history: &History) -> Result<Counts, String> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = match history.caller {
            Caller::Pod => MemoryServer::of_pod_beside_another(),
            Caller::Stranger => MemoryServer::of_stranger(),
        };
        server.bench.keep();
        let begun = Instant::now();
        let number = u32::try_from(history.requests.len()).unwrap();
        let bound = HEAD + WAIT * (number + 1);
        let heard = timeout(2 * bound, converse(&server, history)).await;
        let heard = heard.map_err(|_| "the connection is not ended".to_owned())?;
        if begun.elapsed() > bound {
            return Err(format!("it took {:?}", begun.elapsed()));
        }
        let answers = match history.end {
            // It has heard what had come by then.
            End::GoesAway => Vec::new(),
            _ => answers::read(&heard)?,
        };
        check(history, &answers, &server)?;
        serves_on(&server, history.caller).await?;
        let mut counts = Counts {
            requests: history.requests.len() as u64,
            ..Counts::default()
        };
        for answer in answers {
            *counts.answers.entry(answer.status).or_default() += 1;
        }
        Ok(counts)
    })
}

async fn converse(server: &MemoryServer, history: &History) -> Vec<u8> {
    let (client, connection) = duplex(64 * 1024);
    tokio::join!(server.serve(connection), speak(client, history)).1
}

async fn speak(client: DuplexStream, history: &History) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(client);
    let speaking = async {
        let said = history.requests.concat();
        for piece in said.chunks(history.piece.max(said.len() / PIECES).max(1)) {
            // Somebody who is refused half-way through is cut off.
            if write.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        if history.end == End::ClosesItsHalf {
            let _cut_off = write.shutdown().await;
        }
    };
    let mut heard = Vec::new();
    if history.end == End::GoesAway {
        speaking.await;
        return heard;
    }
    let _cut_off = tokio::join!(speaking, read.read_to_end(&mut heard));
    heard
}

fn check(history: &History, answers: &[HttpAnswer], server: &MemoryServer) -> Result<(), String> {
    if let Some(other) = answers.iter().find(|one| !STATUSES.contains(&one.status)) {
        return Err(format!("status {} is no documented one", other.status));
    }
    let tokens: Vec<&str> = answers.iter().filter_map(HttpAnswer::token).collect();
    if tokens.iter().any(|token| *token != "a.b.c") {
        return Err(format!("a foreign token: {tokens:?}"));
    }
    let own = ImdsIdentity::ResourceId(RESOURCE_ID.into());
    let asked = server.bench.imds.asked.lock().unwrap();
    if asked.iter().any(|identity| *identity != own) {
        return Err(format!("a foreign identity is asked for: {asked:?}"));
    }
    let said = history.requests.concat().to_ascii_lowercase();
    let at_most = match history.caller {
        Caller::Pod => count(&said, b"get ").min(count(&said, b"metadata:")),
        Caller::Stranger => 0,
    };
    match tokens.len() <= at_most && (at_most > 0 || asked.is_empty()) {
        true => Ok(()),
        false => Err(format!("{} tokens for {at_most} requests", tokens.len())),
    }
}

fn count(said: &[u8], word: &[u8]) -> usize {
    let windows = said.windows(word.len());
    windows.filter(|window| *window == word).count()
}

/// Whether the next connection is served.
async fn serves_on(server: &MemoryServer, caller: Caller) -> Result<(), String> {
    let heard = server.converse(good().as_bytes()).await;
    let expected = match caller {
        Caller::Pod => 200,
        Caller::Stranger => 503,
    };
    let answers = answers::read(&heard)?;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    match statuses == [expected] {
        true => Ok(()),
        false => Err(format!("the next good request gets {statuses:?}")),
    }
}
