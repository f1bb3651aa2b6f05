//! The daemon's side of the control socket.

use std::io;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::{Answer, Request};
use crate::daemon::requests::{Requests, handle};

/// Longest request: a service with a large environment fits well.
const LONGEST: u64 = 1 << 20;

/// Takes requests on `listener` until the task is dropped.
pub(crate) async fn serve(listener: UnixListener, requests: Requests) -> io::Result<()> {
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

impl Answer {
    /// Any value as a good answer.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, String> {
        serde_json::to_value(value)
            .map(Self::Ok)
            .map_err(|error| error.to_string())
    }
}
