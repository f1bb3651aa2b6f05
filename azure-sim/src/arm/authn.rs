//! ARM's answers to tokens that it does not accept.

use http::StatusCode;

use super::error::ArmError;
use crate::clock::{Clock, us_time};
use crate::host_names::ENTRA_HOST;
use crate::tokens::TokenError;

/// The audiences that ARM accepts.
pub(super) const AUDIENCES: &[&str] = &[
    "https://management.core.windows.net/",
    "https://management.azure.com/",
];

/// ARM's answer to a token that it does not accept.
pub(super) fn refusal(refused: &TokenError, tenant: &str, clock: Clock) -> ArmError {
    let (code, message) = match refused {
        TokenError::Missing => (
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.".to_owned(),
        ),
        TokenError::Malformed => (
            "InvalidAuthenticationToken",
            "The access token is invalid.".to_owned(),
        ),
        TokenError::Forged => (
            "InvalidAuthenticationToken",
            "The access token signature or issuer is invalid.".to_owned(),
        ),
        TokenError::NotYet => (
            "InvalidAuthenticationToken",
            "The access token is not valid yet.".to_owned(),
        ),
        TokenError::Audience(found) => ("InvalidAuthenticationTokenAudience", audience(found)),
        TokenError::Expired(at) => (
            "ExpiredAuthenticationToken",
            format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
                us_time(*at),
                us_time(clock.now()),
            ),
        ),
    };
    let challenge = format!(
        "Bearer realm=\"\", authorization_uri=\"https://{ENTRA_HOST}/{tenant}\", \
         error=\"invalid_token\", error_description=\"{message}\""
    );
    ArmError::new(StatusCode::UNAUTHORIZED, code, message).with("www-authenticate", challenge)
}

fn audience(found: &str) -> String {
    let allowed: Vec<_> = AUDIENCES
        .iter()
        .flat_map(|a| [format!("'{a}'"), format!("'{}'", a.trim_end_matches('/'))])
        .collect();
    format!(
        "The access token has been obtained for wrong audience or resource '{found}'. It should \
         exactly match with one of the allowed audiences {}.",
        allowed.join(","),
    )
}
