//! The instance metadata service of one machine.
//!
//! Every path needs the header `Metadata: true` and refuses `X-Forwarded-For`. The word
//! `metadata` is matched without letter case, everything after it with.

mod error;
mod instance;
mod token;

use http::{Method, StatusCode};
use serde_json::json;

use self::error::{ImdsError, Result};
use crate::operation::Operation;
use crate::router::Answer;
use crate::shared::Shared;
use crate::wire::{Reply, Request};

/// Versions the real service lists.
const VERSIONS: &[&str] = &[
    "2017-03-01",
    "2017-04-02",
    "2017-08-01",
    "2017-10-01",
    "2017-12-01",
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
    "2023-11-15",
    "2024-03-15",
    "2024-07-17",
    "2025-04-07",
];
/// The oldest with managed identities.
const IDENTITY_SINCE: &str = "2018-02-01";

/// What a path names.
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

/// Answers a request of the machine with this folded id.
pub(crate) fn answer(shared: &Shared, request: &Request, route: &Route, machine: &str) -> Answer {
    let answer = serve(shared, request, route, machine).unwrap_or_else(|e| e.reply().into());
    Answer {
        reply: answer.reply.with("server", "IMDS/150.870.65.1854"),
        ..answer
    }
}

fn serve(shared: &Shared, request: &Request, route: &Route, machine: &str) -> Result<Answer> {
    if request.headers.contains_key("x-forwarded-for") {
        return Err(ImdsError::invalid_request(
            "Requests with the header X-Forwarded-For are not served",
        ));
    }
    if !request
        .header("metadata")
        .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    {
        return Err(ImdsError::invalid_request(
            "Required metadata header not specified",
        ));
    }
    if *route == Route::Other {
        return Err(ImdsError::not_found("The requested path is not served"));
    }
    if request.method != Method::GET {
        return Err(ImdsError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Only GET is allowed",
        ));
    }
    if *route != Route::Versions {
        check_version(request, matches!(route, Route::Token | Route::Info))?;
    }
    let mut state = shared.state();
    state.settle(shared.clock);
    match route {
        Route::Token => token::answer(shared, &mut state, request, machine),
        Route::Info => Ok(Reply::json(StatusCode::OK, &json!({"tenantId": state.tenant})).into()),
        Route::Versions => {
            Ok(Reply::json(StatusCode::OK, &json!({"apiVersions": VERSIONS})).into())
        }
        Route::Instance(path) => instance::answer(&state, request, machine, path).map(Into::into),
        Route::LoadBalancer => Err(ImdsError::not_found(
            "No load balancer metadata is found. Please check if your VM is using any non-basic SKU load balancer and retry later.",
        )),
        Route::Other => Err(ImdsError::not_found("The requested path is not served")),
    }
}

fn check_version(request: &Request, identity: bool) -> Result<()> {
    let version = request
        .query
        .iter()
        .find(|(k, _)| k == "api-version")
        .map(|(_, v)| v.as_str());
    let fits = version.is_some_and(|v| VERSIONS.contains(&v) && (!identity || v >= IDENTITY_SINCE));
    if fits {
        Ok(())
    } else {
        Err(ImdsError::Version {
            newest: &VERSIONS[VERSIONS.len() - 3..],
        })
    }
}
