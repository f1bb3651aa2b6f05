//! The daemon's side of the control socket.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::requests::{Requests, handle};
use crate::control::{Answer, Request};

/// Longest request: a service with a large environment fits well.
const LONGEST: u64 = 1 << 20;

/// Takes requests on `listener` until the task is dropped.
pub(super) async fn serve(listener: UnixListener, requests: Requests) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let requests = requests.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &requests).await {
                tracing::debug!(%error, "a control request ended early");
            }
        });
    }
}

async fn answer(stream: UnixStream, requests: &Requests) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => handle(requests, request)
            .await
            .unwrap_or_else(Answer::Error),
        Err(error) => Answer::Error(format!("not a request: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await
}
