//! Azure Resource Manager.
//!
//! A request passes, in this order: its token (401), its api-version (400), its subscription
//! (404), the request budget (429), then its handler, which asks for the right to do it (403)
//! before it says what is or is not there (404).

mod assignments;
mod authn;
mod compute;
mod containers;
mod context;
mod definitions;
mod error;
mod federated;
mod filter;
mod identity;
mod regions;
mod route;
mod throttle;
mod version;

use http::StatusCode;

use self::context::Context;
use self::error::{ArmError, Result};
use self::route::Kind;
pub(crate) use self::route::Route;
pub(crate) use self::throttle::Buckets;
use self::throttle::Budget;
use crate::operation::Operation;
use crate::router::{Answer, Named};
use crate::shared::Shared;
use crate::state::{State, ids::fold};
use crate::wire::{Reply, Request};

/// Answers a request to ARM.
pub(crate) fn answer(shared: &Shared, request: &Request, route: &Route, named: &Named) -> Answer {
    let mut state = shared.state();
    state.settle(shared.clock);
    let caller = shared
        .signer
        .caller(
            request,
            &state.tenant,
            authn::AUDIENCES,
            shared.clock.epoch(),
        )
        .map_err(|refused| authn::refusal(&refused, &state.tenant, shared.clock));
    let (reply, principal) = match caller {
        Ok(caller) => {
            let principal = caller.oid.clone();
            let context = Context {
                shared,
                request,
                route,
                named,
                caller,
                version: "",
            };
            (
                admit(context, &mut state).unwrap_or_else(|e| e.reply()),
                Some(principal),
            )
        }
        Err(error) => (error.reply(), None),
    };
    Answer {
        reply: with_usual_headers(reply, request, &state.location),
        principal,
    }
}

fn admit(mut context: Context<'_>, state: &mut State) -> Result<Reply> {
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
        && !state.subscriptions.contains_key(&fold(id))
    {
        return Err(ArmError::not_found(
            "SubscriptionNotFound",
            format!("The subscription '{id}' could not be found."),
        ));
    }
    let budget = Budget::of(&context.request.method);
    let container = subscription.as_deref().unwrap_or("tenant");
    let left = context
        .shared
        .buckets()
        .take(container, &context.caller.oid, budget)?;
    let reply = handle(&context, state).unwrap_or_else(|e| e.reply());
    Ok(throttle::remaining(
        reply,
        subscription.is_none(),
        budget,
        left,
    ))
}

fn handle(context: &Context<'_>, state: &mut State) -> Result<Reply> {
    use Operation as Op;
    match (context.named.operation, &context.route.kind) {
        (Op::IdentityGet, Kind::Identity(id)) => identity::get(context, state, id),
        (Op::IdentityPut, Kind::Identity(id)) => identity::put(context, state, id),
        (Op::IdentityPatch, Kind::Identity(id)) => identity::patch(context, state, id),
        (Op::IdentityDelete, Kind::Identity(id)) => identity::delete(context, state, id),
        (Op::IdentityList, Kind::Identities(place)) => identity::list(context, state, place),
        (Op::SystemIdentityGet, Kind::SystemIdentity { scope }) => {
            identity::system(context, state, scope)
        }
        (Op::FederatedGet, Kind::Federated(id, name)) => federated::get(context, state, id, name),
        (Op::FederatedPut, Kind::Federated(id, name)) => federated::put(context, state, id, name),
        (Op::FederatedDelete, Kind::Federated(id, name)) => {
            federated::delete(context, state, id, name)
        }
        (Op::FederatedList, Kind::FederatedOf(id)) => federated::list(context, state, id),
        (Op::RoleDefinitionGet, Kind::RoleDefinition { scope, id }) => {
            definitions::get(context, state, scope, id)
        }
        (Op::RoleDefinitionList, Kind::RoleDefinitions { scope }) => {
            definitions::list(context, state, scope)
        }
        (Op::RoleAssignmentGet, Kind::RoleAssignment { scope, name }) => {
            assignments::get(context, state, scope, name)
        }
        (Op::RoleAssignmentPut, Kind::RoleAssignment { scope, name }) => {
            assignments::put(context, state, scope, name)
        }
        (Op::RoleAssignmentDelete, Kind::RoleAssignment { scope, name }) => {
            assignments::delete(context, state, scope, name)
        }
        (Op::RoleAssignmentList, Kind::RoleAssignments { scope }) => {
            assignments::list(context, state, scope)
        }
        (Op::VmGet | Op::VmssGet, Kind::Host(id)) => compute::get(context, state, id),
        (Op::VmPut | Op::VmssPut, Kind::Host(id)) => compute::put(context, state, id),
        (Op::VmPatch | Op::VmssPatch, Kind::Host(id)) => compute::patch(context, state, id),
        (Op::VmList | Op::VmssList, Kind::Hosts(place, kind)) => {
            compute::list(context, state, place, kind)
        }
        (Op::VmssUpgrade, Kind::Upgrade(id)) => compute::upgrade(context, state, id),
        (Op::VmssInstanceGet, Kind::Instance(id, number)) => {
            compute::instance(context, state, id, number)
        }
        (Op::VmssInstanceList, Kind::Instances(id)) => compute::instances(context, state, id),
        (Op::OperationGet, Kind::Operation { id, .. }) => compute::operation(context, state, id),
        (Op::SubscriptionGet, Kind::Subscription(id)) => {
            containers::subscription(context, state, id)
        }
        (Op::SubscriptionList, Kind::Subscriptions) => containers::subscriptions(context, state),
        (Op::LocationList, Kind::Locations(id)) => containers::locations(context, state, id),
        (Op::GroupGet, Kind::Group(place)) => containers::group(context, state, place),
        (Op::GroupList, Kind::Groups(subscription)) => {
            containers::groups(context, state, subscription)
        }
        _ => Err(ArmError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "HttpMethodNotSupported",
            format!(
                "azure-sim does not simulate {} on '{}'.",
                context.request.method, context.route.path
            ),
        )),
    }
}

/// The headers of every ARM answer.
fn with_usual_headers(reply: Reply, request: &Request, location: &str) -> Reply {
    let id = uuid::Uuid::new_v4().to_string();
    let correlation = request
        .header("x-ms-correlation-request-id")
        .unwrap_or(&id)
        .to_owned();
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let routing = format!("{}:{time}:{id}", location.to_uppercase());
    let reply = reply
        .with("cache-control", "no-cache")
        .with("pragma", "no-cache")
        .with("expires", "-1")
        .with(
            "strict-transport-security",
            "max-age=31536000; includeSubDomains",
        )
        .with("x-content-type-options", "nosniff")
        .with("x-ms-request-id", &id)
        .with("x-ms-correlation-request-id", correlation)
        .with("x-ms-routing-request-id", routing);
    let wanted = request
        .header("x-ms-return-client-request-id")
        .is_some_and(|v| v.eq_ignore_ascii_case("true"));
    match request.header("x-ms-client-request-id").filter(|_| wanted) {
        Some(id) => reply.with("x-ms-client-request-id", id),
        None => reply,
    }
}
