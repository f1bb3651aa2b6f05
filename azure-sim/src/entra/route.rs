//! Entra's paths.

use percent_encoding::percent_decode_str;

use crate::answer::Invocation;
use crate::message::Request;
use crate::operation::Operation;

/// A request to Entra, by its path.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// First segment of the path in lower case; empty if there is none.
    pub(super) tenant: String,
    pub(super) kind: Kind,
    /// Client id in the form of a token request.
    client: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Token(Version),
    Configuration(Version),
    Keys,
    Instance,
    Other,
}

/// Version of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
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

    pub(crate) fn invocation(&self) -> Invocation {
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
        Invocation {
            operation,
            resource,
        }
    }
}
