//! Entra ID: discovery documents, keys, and tokens for client credentials.

mod assertion;
mod certificate;
mod discovery;
mod error;
mod federation;
mod resource;
mod token;

use http::StatusCode;
use percent_encoding::percent_decode_str;

pub(crate) use self::error::EntraError;
use crate::operation::Operation;
use crate::router::{Answer, Named};
use crate::shared::Shared;
use crate::wire::{Reply, Request};

pub(crate) use self::resource::audience as known_audience;

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    tenant: String,
    kind: Kind,
    /// Who asks for a token, as far as the form says so.
    client: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Token(Version),
    Configuration(Version),
    Keys,
    Instance,
    Other,
}

/// Which generation of endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Route {
    pub(crate) fn of(request: &Request) -> Self {
        let path = percent_decode_str(&request.path)
            .decode_utf8_lossy()
            .to_lowercase();
        let parts: Vec<_> = path.split('/').filter(|s| !s.is_empty()).collect();
        let (tenant, kind) = match parts[..] {
            ["common", "discovery", "instance"] => ("common", Kind::Instance),
            [tenant, "oauth2", "v2.0", "token"] => (tenant, Kind::Token(Version::V2)),
            [tenant, "oauth2", "token"] => (tenant, Kind::Token(Version::V1)),
            [tenant, "v2.0", ".well-known", "openid-configuration"] => {
                (tenant, Kind::Configuration(Version::V2))
            }
            [tenant, ".well-known", "openid-configuration"] => {
                (tenant, Kind::Configuration(Version::V1))
            }
            [tenant, "discovery", "keys"] | [tenant, "discovery", "v2.0", "keys"] => {
                (tenant, Kind::Keys)
            }
            [first, ..] => (first, Kind::Other),
            [] => ("", Kind::Other),
        };
        let client = match kind {
            Kind::Token(_) => url::form_urlencoded::parse(&request.body)
                .find(|(name, _)| name == "client_id")
                .map(|(_, id)| id.to_lowercase()),
            _ => None,
        };
        Self {
            tenant: tenant.into(),
            kind,
            client,
        }
    }

    pub(crate) fn named(&self) -> Named {
        let operation = match self.kind {
            Kind::Token(_) => Operation::EntraToken,
            Kind::Configuration(_) => Operation::EntraConfiguration,
            Kind::Keys => Operation::EntraKeys,
            Kind::Instance => Operation::EntraInstance,
            Kind::Other => Operation::EntraOther,
        };
        let resource = match &self.client {
            Some(client) => format!("{}/{client}", self.tenant),
            None => self.tenant.clone(),
        };
        Named {
            operation,
            resource,
        }
    }
}

/// Answers a request to Entra.
pub(crate) async fn answer(shared: &Shared, request: &Request, route: &Route) -> Answer {
    let tenant = &route.tenant;
    let post = request.method == http::Method::POST;
    match route.kind {
        Kind::Token(version) if post => {
            match token::issue(shared, request, tenant, version).await {
                Ok(answer) => answer,
                Err(error) => error.reply(shared.clock.now()).into(),
            }
        }
        Kind::Token(_) => EntraError::new(
            900144,
            "invalid_request",
            StatusCode::BAD_REQUEST,
            "The request must be a POST with a form.",
        )
        .reply(shared.clock.now())
        .into(),
        Kind::Configuration(version) => {
            discovery::configuration(shared, request, tenant, version).into()
        }
        Kind::Keys => discovery::keys(shared).into(),
        Kind::Instance => discovery::instance(request).into(),
        Kind::Other => Reply::empty(StatusCode::NOT_FOUND).into(),
    }
}
