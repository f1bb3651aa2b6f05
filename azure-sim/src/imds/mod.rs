//! The instance metadata service of one VM.
//!
//! Every path needs the header `Metadata: true` and refuses `X-Forwarded-For`. Letter case does not
//! matter in the first segment of a path, `metadata`, but in all others.

mod error;
mod instance;
mod route;
mod token;
mod version;

use http::{Method, StatusCode};
use serde_json::json;

use self::error::{ImdsError, Result};
pub(crate) use self::route::Route;
use self::version::VERSIONS;
use crate::answer::Answer;
use crate::message::{Reply, Request};
use crate::shared::Shared;

/// Answers a request of the VM with this normalized id.
pub(crate) fn answer(shared: &Shared, request: &Request, route: &Route, vm: &str) -> Answer {
    let answer = serve(shared, request, route, vm).unwrap_or_else(|e| e.reply().into());
    Answer {
        reply: answer.reply.with("server", "IMDS/150.870.65.1854"),
        ..answer
    }
}

fn serve(shared: &Shared, request: &Request, route: &Route, vm: &str) -> Result<Answer> {
    check_request(request, route)?;
    let mut state = shared.state();
    state.end_due_operations(shared.clock);
    match route {
        Route::Token => token::answer(shared, &mut state, request, vm),
        Route::Info => Ok(Reply::json(StatusCode::OK, &json!({"tenantId": state.tenant})).into()),
        Route::Versions => {
            Ok(Reply::json(StatusCode::OK, &json!({"apiVersions": VERSIONS})).into())
        }
        Route::Instance(path) => instance::answer(&state, request, vm, path).map(Into::into),
        Route::LoadBalancer => Err(ImdsError::not_found(
            "No load balancer metadata is found. Please check if your VM is using any non-basic SKU load balancer and retry later.",
        )),
        Route::Other => Err(ImdsError::not_found("The requested path is not served")),
    }
}

/// What the service checks before it looks at the path itself.
fn check_request(request: &Request, route: &Route) -> Result<()> {
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
    if *route == Route::Versions {
        return Ok(());
    }
    version::check(request, matches!(route, Route::Token | Route::Info))
}
