//! Paths of the metadata service.

use crate::message::Request;
use crate::operation::Operation;

/// A request to the metadata service, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Token,
    Info,
    Versions,
    /// Segments below `/metadata/instance`.
    Instance(Vec<String>),
    LoadBalancer,
    Other,
}

impl Route {
    pub(crate) fn of(request: &Request) -> Self {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let Some((first, rest)) = parts.split_first() else {
            return Self::Other;
        };
        if !first.eq_ignore_ascii_case("metadata") {
            return Self::Other;
        }
        match rest {
            ["identity", "oauth2", "token"] => Self::Token,
            ["identity", "info"] => Self::Info,
            ["versions"] => Self::Versions,
            ["instance", route @ ..] => {
                Self::Instance(route.iter().map(|s| (*s).to_owned()).collect())
            }
            ["loadbalancer"] => Self::LoadBalancer,
            _ => Self::Other,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Token => Operation::ImdsToken,
            Self::Info => Operation::ImdsInfo,
            Self::Versions => Operation::ImdsVersions,
            Self::Instance(_) => Operation::ImdsInstance,
            Self::LoadBalancer | Self::Other => Operation::ImdsOther,
        }
    }
}
