//! Answers in the form of the instance metadata service: JSON, whatever happens. SDKs fail on
//! anything else.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::token::IssuedToken;

/// The media type of every answer.
pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// An error as every SDK reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorAnswer {
    pub(crate) status: StatusCode,
    pub(crate) error: String,
    pub(crate) description: String,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the connection must not be used again.
    pub(crate) close: bool,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    error_description: &'a str,
    #[serde(rename = "newest-versions", skip_serializing_if = "Option::is_none")]
    newest_versions: Option<[&'a str; 3]>,
}

/// Versions that the metadata service names to a client that asks with none it knows (Azure
/// Instance Metadata Service docs, "Versions").
const NEWEST_VERSIONS: [&str; 3] = ["2025-04-07", "2024-07-17", "2024-03-15"];
/// The `error` of that answer; [`ErrorAnswer::body`] recognises the case by it.
const BAD_VERSION: &str = "Bad request. api-version is invalid or was not specified in the \
     request. For more information refer to aka.ms/azureimds";

impl ErrorAnswer {
    pub(crate) fn new(status: StatusCode, error: &str, description: &str) -> Self {
        Self {
            status,
            error: error.to_owned(),
            description: description.to_owned(),
            retry_after: None,
            close: false,
        }
    }

    /// 400 `invalid_request`.
    pub(crate) fn invalid(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// 400 in the form the service has for a bad `api-version`.
    pub(crate) fn bad_version() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            BAD_VERSION,
            "the token endpoint needs api-version=2018-02-01 or later",
        )
    }

    /// 503, which every SDK asks again after.
    pub(crate) fn retry(description: &str, after: Duration) -> Self {
        let answer = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            description,
        );
        Self {
            retry_after: Some(after),
            ..answer
        }
    }

    /// The same, ending the connection.
    pub(crate) fn closing(self) -> Self {
        Self {
            close: true,
            ..self
        }
    }

    /// The JSON of it.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = ErrorBody {
            error: &self.error,
            error_description: &self.description,
            newest_versions: (self.error == BAD_VERSION).then_some(NEWEST_VERSIONS),
        };
        // Strings and a list of strings always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = respond(self.status, self.body().into());
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The eight keys every client can read: all of them strings, `expires_in` before `expires_on`,
/// because one SDK writes both into one field and keeps the last.
#[derive(Serialize)]
struct TokenBody<'a> {
    access_token: &'a str,
    client_id: &'a str,
    expires_in: String,
    expires_on: String,
    ext_expires_in: String,
    not_before: String,
    resource: &'a str,
    token_type: &'a str,
}

/// 200 with a token. What IMDS left out is filled in with what it must mean; a client id is always there,
/// because a token whose owner is not known is handed to nobody.
pub(crate) fn token(issued: &IssuedToken, resource: &str) -> Response<Full<Bytes>> {
    let token = &*issued.token;
    let issued_on = token.expires_on.saturating_sub(token.expires_in);
    let ext_expires_in = issued.ext_expires_in.unwrap_or(issued.expires_in);
    let body = TokenBody {
        access_token: token.access_token.expose(),
        client_id: &token.client_id,
        expires_in: issued.expires_in.to_string(),
        expires_on: token.expires_on.to_string(),
        ext_expires_in: ext_expires_in.to_string(),
        not_before: token.not_before.unwrap_or(issued_on).to_string(),
        resource: or(&token.resource, resource),
        token_type: or(&token.token_type, "Bearer"),
    };
    // Large enough from the start, even if every character of the resource is escaped: a vector that grows leaves a
    // copy of the token behind.
    let size = body.access_token.len() + body.client_id.len() + 6 * body.resource.len() + REST_MAX;
    let mut json = Zeroizing::new(Vec::with_capacity(size));
    // Strings always serialise, and a vector takes all of them.
    let _written = serde_json::to_writer(&mut *json, &body);
    // Wiped when the connection has sent it.
    respond(StatusCode::OK, Bytes::from_owner(json))
}

/// Most bytes of a token answer beside the token, the client id and the resource: keys, numbers and the type.
const REST_MAX: usize = 512;

fn or<'a>(given: &'a str, default: &'a str) -> &'a str {
    match given.is_empty() {
        true => default,
        false => given,
    }
}

fn respond(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use podid_azure::{ImdsToken, Secret};

    use super::*;

    fn body(answer: &ErrorAnswer) -> String {
        String::from_utf8(answer.body()).unwrap()
    }

    #[test]
    fn the_error_of_a_missing_identity_is_that_of_imds_to_the_byte() {
        let body = body(&ErrorAnswer::invalid("Identity not found"));
        assert_eq!(
            body,
            r#"{"error":"invalid_request","error_description":"Identity not found"}"#
        );
        assert_eq!(body.len(), 68);
    }

    #[test]
    fn a_bad_version_names_good_ones() {
        assert!(body(&ErrorAnswer::bad_version()).contains(r#""newest-versions":["2025-04-07","#));
        assert!(!body(&ErrorAnswer::invalid("x")).contains("newest"));
    }

    #[test]
    fn retries_say_when() {
        let response = ErrorAnswer::retry("x", Duration::from_millis(100)).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn a_token_has_eight_keys_in_order_and_nothing_empty() {
        let sparse = ImdsToken {
            access_token: Secret::new("a.b.c"),
            client_id: "client".into(),
            expires_in: 86_000,
            expires_on: 1_700_086_400,
            ext_expires_in: None,
            not_before: None,
            resource: String::new(),
            token_type: String::new(),
        };
        let response = token(&IssuedToken::fresh(sparse), "https://vault.azure.net");
        assert_eq!(response.headers()[CONTENT_TYPE], JSON);
        let bytes =
            futures::executor::block_on(http_body_util::BodyExt::collect(response.into_body()));
        assert_eq!(
            bytes.unwrap().to_bytes(),
            "{\"access_token\":\"a.b.c\",\"client_id\":\"client\",\"expires_in\":\"86000\",\
             \"expires_on\":\"1700086400\",\"ext_expires_in\":\"86000\",\
             \"not_before\":\"1700000400\",\"resource\":\"https://vault.azure.net\",\
             \"token_type\":\"Bearer\"}"
        );
    }
}
