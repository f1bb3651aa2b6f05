//! Asks another process of this machine, at its admin socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Longest time of a probe: less than a kubelet waits by podid's manifests, so that the kubelet is told why.
const LIMIT: Duration = Duration::from_secs(4);
/// Most bytes of an answer that are read.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// Why a process does not count as ready.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It says so.
    #[error("{0}")]
    NotReady(String),
    /// It does not answer.
    #[error("nothing answers at the admin socket {}; does the process run, with this --admin-socket?", .path.display())]
    Silent {
        /// The socket that was asked.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Asks the process at an admin socket whether it is ready.
///
/// # Errors
/// While it is not, with what it waits for; or when it does not answer.
pub async fn probe(socket: &Path) -> Result<(), ProbeError> {
    fetch(socket, "/readyz").await.map(drop)
}

/// Asks the process at an admin socket for a page.
///
/// # Errors
/// When it does not answer, or with anything but success.
pub async fn fetch(socket: &Path, page: &str) -> Result<String, ProbeError> {
    let asked = tokio::time::timeout(LIMIT, ask(socket, page)).await;
    let answer = asked.unwrap_or_else(|late| Err(late.into()));
    let answer = answer.map_err(|source| ProbeError::Silent {
        path: socket.to_owned(),
        source,
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.starts_with("HTTP/1.1 200 ") {
        true => Ok(body.to_owned()),
        false => Err(ProbeError::NotReady(body.trim().replace('\n', " "))),
    }
}

/// One request and its whole answer, after which the admin server closes the connection.
async fn ask(socket: &Path, page: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}
