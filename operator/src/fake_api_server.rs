//! An API server in memory; what it holds and answers is each test's own.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// Its client. `answer` gets the method, the path and the JSON of each request, and gives the status and the JSON of the
/// answer.
pub(crate) fn client<F>(
    answer: impl Fn(Method, String, Value) -> F + Send + Sync + 'static,
) -> Client
where
    F: Future<Output = (StatusCode, Value)> + Send + 'static,
{
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = Arc::clone(&answer);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.expect("a body");
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let path = parts.uri.path().to_owned();
            let (status, answer) = answer(parts.method, path, body).await;
            let answer = Body::from(answer.to_string().into_bytes());
            let response = Response::builder().status(status).body(answer);
            Ok::<_, Infallible>(response.expect("a response"))
        }
    });
    Client::new(service, "ns")
}

/// What it answers where it refuses something, or fails.
pub(crate) fn failure(code: StatusCode) -> (StatusCode, Value) {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": "no",
    });
    (code, status)
}
