//! What the HTTP library sees of a connection, and what the client sees of the library.
//!
//! The client's end is read when no request is being answered ([`Exchange`]), and the library's own refusals are JSON
//! too: hyper answers what it cannot parse (a malformed request line, too many headers) by itself, with
//! a status and an empty body, and offers no hook. SDKs need JSON. None of our own answers is
//! empty, so an answer that says `content-length: 0` is one of hyper's, and is replaced.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answer::{ErrorAnswer, JSON};
use crate::server::exchange::Exchange;

/// See the module.
#[derive(Debug)]
pub(crate) struct ConnectionAdapter<'a, S> {
    stream: S,
    exchange: &'a Exchange,
    /// What is written in place of hyper's answer, and how much of it has been.
    replacement: Vec<u8>,
    written: usize,
}

impl<'a, S> ConnectionAdapter<'a, S> {
    pub(crate) fn new(stream: S, exchange: &'a Exchange) -> Self {
        Self {
            stream,
            exchange,
            replacement: Vec::new(),
            written: 0,
        }
    }

    /// The connection itself.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> ConnectionAdapter<'_, S> {
    fn poll_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.replacement.len() {
            let rest = &self.replacement[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The JSON answer in place of an empty one of hyper's; `None` for any other.
fn replacement_of(answer: &[u8]) -> Option<Vec<u8>> {
    // In the version of the request before it.
    let head = answer.strip_prefix(b"HTTP/1.")?;
    let status = StatusCode::from_bytes(head.get(2..5)?).ok()?;
    if !status.is_client_error() {
        return None;
    }
    let text = std::str::from_utf8(answer).ok()?;
    text.contains("content-length: 0\r\n")
        .then(|| refusal(status))
}

/// A whole answer, for a connection that is then closed.
pub(crate) fn refusal(status: StatusCode) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let body = ErrorAnswer::new(status, "invalid_request", reason).body();
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        status.as_u16(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}

impl<S: AsyncRead + Unpin> AsyncRead for ConnectionAdapter<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() == before {
            ready!(self.exchange.poll_end(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ConnectionAdapter<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_replacement(cx))?;
        match replacement_of(buf) {
            Some(replacement) => {
                self.replacement = replacement;
                self.written = 0;
                Poll::Ready(Ok(buf.len()))
            }
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    /// Answers are written from where they are: a copy in a buffer of the HTTP library would not be wiped.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // One of hyper's refusals has no body, so it is the last part, or the only one.
        let refusal_at_end =
            |parts: &[IoSlice<'_>]| parts.last().and_then(|last| replacement_of(last));
        match parts {
            [only] => self.poll_write(cx, only),
            [before @ .., _] if refusal_at_end(parts).is_some() => {
                ready!(self.poll_replacement(cx))?;
                Pin::new(&mut self.stream).poll_write_vectored(cx, before)
            }
            _ => {
                ready!(self.poll_replacement(cx))?;
                Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_refusals_are_replaced() {
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            let empty = format!(
                "{version} 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n"
            );
            let text = String::from_utf8(replacement_of(empty.as_bytes()).unwrap()).unwrap();
            assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
            assert!(text.ends_with(r#""error_description":"Request Header Fields Too Large"}"#));
        }
        for own in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 68\r\n\r\n{}"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"",
            b"HTTP/1.1 4",
        ] {
            assert_eq!(replacement_of(own), None);
        }
    }
}
