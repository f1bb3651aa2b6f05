//! Entra ID: discovery documents, keys, and tokens for client credentials.

mod assertion;
mod certificate;
mod claims;
mod discovery;
mod error;
mod federation;
mod form;
mod resource;
mod route;
mod token;

use http::{Method, StatusCode};

pub(crate) use self::error::EntraError;
pub(crate) use self::resource::audience as known_audience;
use self::route::Kind;
pub(crate) use self::route::Route;
use crate::answer::Answer;
use crate::message::{Reply, Request};
use crate::shared::Shared;

/// Answers a request to Entra.
pub(crate) async fn answer(shared: &Shared, request: &Request, route: &Route) -> Answer {
    let tenant = &route.tenant;
    let reply = match route.kind {
        Kind::Token(version) if request.method == Method::POST => {
            match token::issue(shared, request, tenant, version).await {
                Ok(answer) => return answer,
                Err(error) => error.reply(shared.clock.now()),
            }
        }
        Kind::Token(_) => EntraError::new(
            900_144,
            "invalid_request",
            StatusCode::BAD_REQUEST,
            "The request must be a POST with a form.",
        )
        .reply(shared.clock.now()),
        Kind::Configuration(version) => discovery::configuration(shared, request, tenant, version),
        Kind::Keys => discovery::keys(shared),
        Kind::Instance => discovery::instance(request),
        Kind::Other => Reply::empty(StatusCode::NOT_FOUND),
    };
    reply.into()
}
