//! The claims of client assertions.

use serde::Deserialize;

/// The claims of an assertion. They are read before its signature is verified, because the issuer
/// decides which key to verify with.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: Audience,
    /// JWT dates may have a fraction; MSAL for Python sends one.
    pub(super) exp: f64,
    pub(super) nbf: Option<f64>,
}

/// `aud` may be one string or a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    pub(super) fn all(&self) -> Vec<&str> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many.iter().map(String::as_str).collect(),
        }
    }
}
