//! Reading VMs, scale sets and their instances.

use http::StatusCode;
use serde_json::Value;

use super::lookup::{action, find};
use super::render;
use crate::arm::context::{self, Context};
use crate::arm::error::{ArmError, Result};
use crate::arm::kind::Container;
use crate::ids::{ResourceId, SCALE_SETS, covers, normalize};
use crate::message::Reply;
use crate::state::State;

pub(in crate::arm) fn get(context: &Context<'_>, state: &State, id: &ResourceId) -> Result<Reply> {
    context.require(state, &action(id.kind, "read"), &id.path())?;
    context.group(state, id)?;
    let compute = find(state, id)?;
    let body = render::compute(state, compute);
    Ok(Reply::json(StatusCode::OK, &body).with("etag", compute.etag()))
}

pub(in crate::arm) fn list(
    context: &Context<'_>,
    state: &State,
    place: &Container,
    kind: &'static str,
) -> Result<Reply> {
    let scope = place.scope();
    context.require(state, &action(kind, "read"), &scope)?;
    context::require_group(state, place)?;
    let scope = normalize(&scope);
    let items = state
        .compute
        .values()
        .filter(|c| c.id.kind == kind && covers(&scope, &c.id.key()))
        .map(|c| render::compute(state, c));
    context.page(items.collect())
}

pub(in crate::arm) fn instances(
    context: &Context<'_>,
    state: &State,
    id: &ResourceId,
) -> Result<Reply> {
    let need = action(SCALE_SETS, "virtualMachines/read");
    context.require(state, &need, &id.path())?;
    let set = find(state, id)?;
    let items: Vec<Value> = state
        .instances(set)
        .iter()
        .map(|vm| render::instance(state, vm))
        .collect();
    context.page(items)
}

/// An instance by its id; in a flexible scale set, by the name of its VM.
pub(in crate::arm) fn instance(
    context: &Context<'_>,
    state: &State,
    id: &ResourceId,
    number: &str,
) -> Result<Reply> {
    let need = action(SCALE_SETS, "virtualMachines/read");
    context.require(state, &need, &id.path())?;
    let set = find(state, id)?;
    let vm = state.instances(set).into_iter().find(|vm| {
        vm.instance_id == Some(number)
            || (vm.instance_id.is_none() && vm.name.eq_ignore_ascii_case(number))
    });
    let vm = vm.ok_or_else(|| {
        let kind = format!("{SCALE_SETS}/virtualMachines");
        ArmError::resource_not_found(&kind, &format!("{}/{number}", id.name), &id.group)
    })?;
    Ok(Reply::json(StatusCode::OK, &render::instance(state, &vm)))
}

/// `manualupgrade`. A change of identities needs no upgrade of instances, and no other part of a
/// model can change here. So this answers as Azure does when every instance is up to date.
pub(in crate::arm) fn upgrade(
    context: &Context<'_>,
    state: &State,
    id: &ResourceId,
) -> Result<Reply> {
    let need = action(SCALE_SETS, "manualupgrade/action");
    context.require(state, &need, &id.path())?;
    find(state, id)?;
    Ok(Reply::empty(StatusCode::OK))
}
