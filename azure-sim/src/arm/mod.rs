//! Azure Resource Manager.
//!
//! Checks come in this order, as in Azure: the token (401), the resource type (404), the api-version
//! (400), the subscription (404), the request limit (429). The handler of the operation then checks
//! the caller's roles (403) before it reveals whether a resource exists (404).

mod assignments;
mod authn;
mod compute;
mod containers;
mod context;
mod definitions;
mod dispatch;
mod error;
mod federated;
mod filter;
mod headers;
mod identity;
mod kind;
mod limit;
mod path;
mod regions;
mod route;
mod version;

use std::cell::RefCell;

use self::context::Context;
use self::error::{ArmError, Result};
use self::kind::Kind;
pub(crate) use self::route::Route;
use crate::answer::{Answer, Invocation};
use crate::ids::normalize;
use crate::message::{Reply, Request};
use crate::shared::Shared;
use crate::state::State;
use crate::tokens::Caller;

/// Answers a request to ARM.
pub(crate) fn answer(
    shared: &Shared,
    request: &Request,
    route: &Route,
    invocation: &Invocation,
) -> Answer {
    let mut state = shared.state();
    state.end_due_operations(shared.clock);
    let actions = RefCell::default();
    let (reply, principal) = match authenticate(shared, request, &state) {
        Ok(caller) => {
            let principal = caller.oid.clone();
            let context = Context {
                shared,
                request,
                route,
                invocation,
                caller,
                version: "",
                actions: &actions,
            };
            let reply = checked(context, &mut state).unwrap_or_else(|e| e.reply());
            (reply, Some(principal))
        }
        Err(error) => (error.reply(), None),
    };
    Answer {
        reply: headers::with_usual_headers(reply, request, &state.location),
        principal,
        actions: actions.into_inner(),
    }
}

fn authenticate(shared: &Shared, request: &Request, state: &State) -> Result<Caller> {
    let now = shared.clock.epoch();
    shared
        .token_issuer
        .caller(request, &state.tenant, authn::AUDIENCES, now)
        .map_err(|error| authn::refusal(&error, &state.tenant, shared.clock))
}

/// Carries out a request after all checks that do not depend on the operation.
fn checked(mut context: Context<'_>, state: &mut State) -> Result<Reply> {
    let kind = &context.route.kind;
    if let Kind::Unknown(typ) = kind {
        return Err(ArmError::not_found(
            "InvalidResourceType",
            format!(
                "The resource type '{typ}' could not be found, or azure-sim does not simulate it."
            ),
        ));
    }
    context.version = version::check(context.request, kind, &state.location)?;
    let subscription = kind.subscription();
    if let Some(id) = &subscription
        && !state.subscriptions.contains_key(&normalize(id))
    {
        return Err(ArmError::not_found(
            "SubscriptionNotFound",
            format!("The subscription '{id}' could not be found."),
        ));
    }
    let remaining = limit::take(&context, subscription.as_deref())?;
    // An error of the operation, too, says how many requests remain.
    let reply = dispatch::handle(&context, state).unwrap_or_else(|e| e.reply());
    Ok(remaining.header(reply))
}
