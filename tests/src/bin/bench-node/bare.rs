//! The bare server: hyper, the same bytes for every request, nothing else. It plays the metadata
//! service too, which answers at once.

use std::convert::Infallible;
use std::net::SocketAddrV4;

use anyhow::Result;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// Length of a token as Entra issues them.
const TOKEN_LENGTH: usize = 1500;

/// Serves until killed.
pub(crate) fn serve(address: SocketAddrV4) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let body = Bytes::from(body());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            tokio::spawn(async move {
                let answer = service_fn(|_: Request<_>| {
                    let mut response = Response::new(Full::new(body.clone()));
                    let json = HeaderValue::from_static("application/json; charset=utf-8");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    std::future::ready(Ok::<_, Infallible>(response))
                });
                let io = TokioIo::new(stream);
                // A client that hangs up ends its connection, not the server.
                let _ended = http1::Builder::new().serve_connection(io, answer).await;
            });
        }
    })
}

/// A token answer with the daemon's keys in the daemon's order, so that both send the same bytes.
fn body() -> String {
    let token = "x".repeat(TOKEN_LENGTH);
    format!(
        "{{\"access_token\":\"{token}\",\"client_id\":\"client-bench\",\"expires_in\":\"86399\",\
         \"expires_on\":\"4102444800\",\"ext_expires_in\":\"86399\",\"not_before\":\"4102358401\",\
         \"resource\":\"https://vault.azure.net\",\"token_type\":\"Bearer\"}}"
    )
}
