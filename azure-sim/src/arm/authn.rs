//! Who calls ARM.

use http::StatusCode;

use super::error::ArmError;
use crate::clock::{Clock, us_time};
use crate::router::ENTRA_HOST;
use crate::tokens::Refused;

/// The audiences ARM takes.
pub(super) const AUDIENCES: &[&str] = &[
    "https://management.core.windows.net/",
    "https://management.azure.com/",
];

/// ARM's answer to a token it does not take.
pub(super) fn refusal(refused: &Refused, tenant: &str, clock: Clock) -> ArmError {
    let (code, message) = match refused {
        Refused::Missing => (
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.".to_owned(),
        ),
        Refused::Malformed => (
            "InvalidAuthenticationToken",
            "The access token is invalid.".to_owned(),
        ),
        Refused::Forged => (
            "InvalidAuthenticationToken",
            "The access token signature or issuer is invalid.".to_owned(),
        ),
        Refused::NotYet => (
            "InvalidAuthenticationToken",
            "The access token is not valid yet.".to_owned(),
        ),
        Refused::Audience(found) => ("InvalidAuthenticationTokenAudience", audience(found)),
        Refused::Expired(at) => (
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
