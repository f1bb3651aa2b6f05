//! From an operation to the function that carries it out.

use http::StatusCode;

use super::context::Context;
use super::error::{ArmError, Result};
use super::kind::Kind;
use super::{assignments, compute, containers, definitions, federated, identity};
use crate::message::Reply;
use crate::operation::Operation as Op;
use crate::state::State;

/// Carries out the operation of a request.
pub(super) fn handle(context: &Context<'_>, state: &mut State) -> Result<Reply> {
    use Kind as K;
    let handled = match &context.route.kind {
        K::Identity(_)
        | K::Identities(_)
        | K::SystemIdentity { .. }
        | K::Federated(..)
        | K::FederatedOf(_) => identities(context, state),
        K::RoleDefinition { .. }
        | K::RoleDefinitions { .. }
        | K::RoleAssignment { .. }
        | K::RoleAssignments { .. } => roles(context, state),
        K::Compute(_)
        | K::ComputeList(..)
        | K::Upgrade(_)
        | K::Instance(..)
        | K::Instances(_)
        | K::Operation { .. } => compute(context, state),
        K::Subscription(_)
        | K::Subscriptions
        | K::Locations(_)
        | K::Group(_)
        | K::Groups(_)
        | K::Unknown(_) => containers(context, state),
    };
    handled.unwrap_or_else(|| Err(method_not_supported(context)))
}

fn identities(context: &Context<'_>, state: &mut State) -> Option<Result<Reply>> {
    Some(match (context.invocation.operation, &context.route.kind) {
        (Op::IdentityGet, Kind::Identity(id)) => identity::get(context, state, id),
        (Op::IdentityPut, Kind::Identity(id)) => identity::put(context, state, id),
        (Op::IdentityPatch, Kind::Identity(id)) => identity::patch(context, state, id),
        (Op::IdentityDelete, Kind::Identity(id)) => identity::delete(context, state, id),
        (Op::IdentityList, Kind::Identities(place)) => identity::list(context, state, place),
        (Op::SystemIdentityGet, Kind::SystemIdentity { scope }) => {
            identity::system_assigned(context, state, scope)
        }
        (Op::FederatedGet, Kind::Federated(id, name)) => federated::get(context, state, id, name),
        (Op::FederatedPut, Kind::Federated(id, name)) => federated::put(context, state, id, name),
        (Op::FederatedDelete, Kind::Federated(id, name)) => {
            federated::delete(context, state, id, name)
        }
        (Op::FederatedList, Kind::FederatedOf(id)) => federated::list(context, state, id),
        _ => return None,
    })
}

fn roles(context: &Context<'_>, state: &mut State) -> Option<Result<Reply>> {
    Some(match (context.invocation.operation, &context.route.kind) {
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
        _ => return None,
    })
}

fn compute(context: &Context<'_>, state: &mut State) -> Option<Result<Reply>> {
    Some(match (context.invocation.operation, &context.route.kind) {
        (Op::VmGet | Op::VmssGet, Kind::Compute(id)) => compute::get(context, state, id),
        (Op::VmPut | Op::VmssPut, Kind::Compute(id)) => compute::put(context, state, id),
        (Op::VmPatch | Op::VmssPatch, Kind::Compute(id)) => compute::patch(context, state, id),
        (Op::VmList | Op::VmssList, Kind::ComputeList(place, kind)) => {
            compute::list(context, state, place, kind)
        }
        (Op::VmssUpgrade, Kind::Upgrade(id)) => compute::upgrade(context, state, id),
        (Op::VmssInstanceGet, Kind::Instance(id, number)) => {
            compute::instance(context, state, id, number)
        }
        (Op::VmssInstanceList, Kind::Instances(id)) => compute::instances(context, state, id),
        (Op::OperationGet, Kind::Operation { id, .. }) => compute::poll(context, state, id),
        _ => return None,
    })
}

fn containers(context: &Context<'_>, state: &mut State) -> Option<Result<Reply>> {
    Some(match (context.invocation.operation, &context.route.kind) {
        (Op::SubscriptionGet, Kind::Subscription(id)) => {
            containers::subscription(context, state, id)
        }
        (Op::SubscriptionList, Kind::Subscriptions) => containers::subscriptions(context, state),
        (Op::LocationList, Kind::Locations(id)) => containers::locations(context, state, id),
        (Op::GroupGet, Kind::Group(place)) => containers::group(context, state, place),
        (Op::GroupList, Kind::Groups(subscription)) => {
            containers::groups(context, state, subscription)
        }
        _ => return None,
    })
}

fn method_not_supported(context: &Context<'_>) -> ArmError {
    ArmError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "HttpMethodNotSupported",
        format!(
            "azure-sim does not simulate {} on '{}'.",
            context.request.method, context.route.path
        ),
    )
}
