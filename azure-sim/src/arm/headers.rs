//! The headers of ARM's answers.

use crate::message::{Reply, Request};

/// Adds the headers that every answer of ARM has.
pub(super) fn with_usual_headers(reply: Reply, request: &Request, location: &str) -> Reply {
    let id = uuid::Uuid::new_v4().to_string();
    let correlation = request
        .header("x-ms-correlation-request-id")
        .unwrap_or(&id)
        .to_owned();
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let routing = format!("{}:{time}:{id}", location.to_uppercase());
    let reply = reply
        .with("cache-control", "no-cache")
        .with("pragma", "no-cache")
        .with("expires", "-1")
        .with(
            "strict-transport-security",
            "max-age=31536000; includeSubDomains",
        )
        .with("x-content-type-options", "nosniff")
        .with("x-ms-request-id", &id)
        .with("x-ms-correlation-request-id", correlation)
        .with("x-ms-routing-request-id", routing);
    let wanted = request
        .header("x-ms-return-client-request-id")
        .is_some_and(|v| v.eq_ignore_ascii_case("true"));
    match request.header("x-ms-client-request-id").filter(|_| wanted) {
        Some(id) => reply.with("x-ms-client-request-id", id),
        None => reply,
    }
}
