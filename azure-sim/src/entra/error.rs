//! Entra's errors: a number, an OAuth error code, and a text that contains the number.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use crate::clock::entra_time;
use crate::message::Reply;

/// An `AADSTS…` error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntraError {
    pub(super) number: u32,
    pub(super) error: &'static str,
    status: StatusCode,
    text: String,
}

pub(super) type Result<T> = std::result::Result<T, EntraError>;

impl EntraError {
    pub(super) fn new(
        number: u32,
        error: &'static str,
        status: StatusCode,
        text: impl Into<String>,
    ) -> Self {
        Self {
            number,
            error,
            status,
            text: text.into(),
        }
    }

    pub(super) fn invalid_client(number: u32, text: impl Into<String>) -> Self {
        Self::new(number, "invalid_client", StatusCode::UNAUTHORIZED, text)
    }

    pub(super) fn invalid_request(number: u32, text: impl Into<String>) -> Self {
        Self::new(number, "invalid_request", StatusCode::BAD_REQUEST, text)
    }

    /// A token is requested for a resource that is not known.
    pub(crate) fn unknown_resource(resource: &str, tenant: &str) -> Self {
        let text = format!(
            "The resource principal named {resource} was not found in the tenant named {tenant}. \
             This can happen if the application has not been installed by the administrator of the \
             tenant or consented to by any user in the tenant. You might have sent your \
             authentication request to the wrong tenant."
        );
        Self::new(500_011, "invalid_resource", StatusCode::BAD_REQUEST, text)
    }

    /// The answer; IMDS returns it unchanged.
    pub(crate) fn reply(&self, now: Timestamp) -> Reply {
        let Self {
            number,
            error,
            status,
            text,
        } = self;
        let (trace, correlation) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let time = entra_time(now);
        Reply::json(*status, &json!({
            "error": error,
            "error_description": format!(
                "AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"
            ),
            "error_codes": [number],
            "timestamp": time,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        }))
        .with("cache-control", "no-store")
        .with("pragma", "no-cache")
    }
}
