//! Client assertions: signed with a registered certificate, or by a trusted issuer.

use serde::Deserialize;

use super::error::{EntraError, Result};
use super::token::Form;
use super::{certificate, federation};
use crate::clock::us_time;
use crate::shared::Shared;
use crate::state::Client;
use crate::wire::Request;

/// The only kind of assertion there is.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Clock difference forgiven, in seconds.
const SKEW: i64 = 300;

/// The claims of an assertion, believed only once its signature is checked.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: Audience,
    /// JWT dates may have a fraction, and MSAL for Python sends one.
    exp: f64,
    nbf: Option<f64>,
}

/// `aud` may be one text or several.
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

/// Checks an assertion in full: who signed it, for whom, whether it is in time.
pub(super) async fn check(
    shared: &Shared,
    request: &Request,
    form: &Form,
    assertion: &str,
    client: &Client,
) -> Result<()> {
    if form.get("client_assertion_type") != Some(TYPE) {
        return Err(EntraError::invalid_request(
            900_144,
            format!(
                "The request body must contain 'client_assertion_type' with the value '{TYPE}'."
            ),
        ));
    }
    let claims = jsonwebtoken::dangerous::insecure_decode::<Claims>(assertion)
        .map_err(|_| EntraError::invalid_client(50_027, "JWT token is invalid or malformed."))?
        .claims;
    let own = form
        .get("client_id")
        .is_some_and(|id| id.eq_ignore_ascii_case(&claims.iss));
    if own {
        certificate::check(request, assertion, &claims, client)?;
    } else {
        federation::check(shared, assertion, &claims, client).await?;
    }
    check_time(shared, &claims)
}

fn check_time(shared: &Shared, claims: &Claims) -> Result<()> {
    let now = shared.clock.epoch();
    let (from, until) = (claims.nbf.map(|nbf| nbf as i64), claims.exp as i64);
    if until.saturating_add(SKEW) >= now && from.is_none_or(|from| from <= now + SKEW) {
        return Ok(());
    }
    let date = |seconds| us_time(jiff::Timestamp::from_second(seconds).unwrap_or_default());
    Err(EntraError::invalid_client(
        700_024,
        format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion \
             valid from {}, expiry time of assertion {}.",
            date(now),
            date(from.unwrap_or_default()),
            date(until),
        ),
    ))
}
