//! Client assertions: signed with a registered certificate, or by a trusted issuer.

use super::claims::Claims;
use super::error::{EntraError, Result};
use super::form::Form;
use super::{certificate, federation};
use crate::clock::us_time;
use crate::message::Request;
use crate::resources::Client;
use crate::shared::Shared;

/// The only value of `client_assertion_type` that Entra accepts.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Clock difference that Entra tolerates, in seconds.
const SKEW: i64 = 300;

/// Verifies an assertion: signature, issuer, audience and time.
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
    // An assertion issued by the client itself is signed with its certificate. Any other issuer must
    // be trusted through a federated credential.
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
