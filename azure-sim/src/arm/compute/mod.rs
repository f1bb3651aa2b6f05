//! `Microsoft.Compute`: machines and scale sets, as far as their identities go.

mod asked;
mod change;
mod render;

use http::StatusCode;
use serde_json::Value;

pub(super) use self::change::{operation, patch, put};
use super::context::Context;
use super::error::{ArmError, Result};
use super::route::Container;
use crate::state::ids::{MACHINES, ResourceId, SCALE_SETS, covers, fold};
use crate::state::{Host, State};
use crate::wire::Reply;

pub(super) fn get(context: &Context<'_>, state: &State, id: &ResourceId) -> Result<Reply> {
    context.require(state, &action(id.kind, "read"), &id.path())?;
    context.group(state, id)?;
    let host = find(state, id)?;
    Ok(Reply::json(StatusCode::OK, &render::host(state, host)).with("etag", host.etag()))
}

pub(super) fn list(
    context: &Context<'_>,
    state: &State,
    place: &Container,
    kind: &'static str,
) -> Result<Reply> {
    let subscription = &place.subscription;
    let scope = match &place.group {
        Some(group) => format!("/subscriptions/{subscription}/resourceGroups/{group}"),
        None => format!("/subscriptions/{subscription}"),
    };
    context.require(state, &action(kind, "read"), &scope)?;
    if let Some(group) = &place.group {
        super::context::group(state, subscription, group)?;
    }
    let here = fold(&scope);
    let items = state
        .hosts
        .values()
        .filter(|h| h.id.kind == kind && covers(&here, &h.id.key()))
        .map(|h| render::host(state, h));
    context.page(items.collect())
}

pub(super) fn instances(context: &Context<'_>, state: &State, id: &ResourceId) -> Result<Reply> {
    context.require(
        state,
        &action(SCALE_SETS, "virtualMachines/read"),
        &id.path(),
    )?;
    let set = find(state, id)?;
    let items: Vec<Value> = state
        .instances(set)
        .iter()
        .map(|m| render::machine(state, m))
        .collect();
    context.page(items)
}

pub(super) fn instance(
    context: &Context<'_>,
    state: &State,
    id: &ResourceId,
    number: &str,
) -> Result<Reply> {
    context.require(
        state,
        &action(SCALE_SETS, "virtualMachines/read"),
        &id.path(),
    )?;
    let set = find(state, id)?;
    let machine = state.instances(set).into_iter().find(|m| {
        m.instance_id == Some(number)
            || (m.instance_id.is_none() && m.name.eq_ignore_ascii_case(number))
    });
    let machine = machine.ok_or_else(|| {
        let kind = format!("{SCALE_SETS}/virtualMachines");
        ArmError::resource_not_found(&kind, &format!("{}/{number}", id.name), &id.group)
    })?;
    Ok(Reply::json(
        StatusCode::OK,
        &render::machine(state, &machine),
    ))
}

/// Identities need no instance upgrade, and nothing else of a model changes here: this only
/// answers as Azure does when every instance is up to date.
pub(super) fn upgrade(context: &Context<'_>, state: &State, id: &ResourceId) -> Result<Reply> {
    context.require(
        state,
        &action(SCALE_SETS, "manualupgrade/action"),
        &id.path(),
    )?;
    find(state, id)?;
    Ok(Reply::empty(StatusCode::OK))
}

fn action(kind: &str, verb: &str) -> String {
    format!("{kind}/{verb}")
}

fn find<'s>(state: &'s State, id: &ResourceId) -> Result<&'s Host> {
    state.hosts.get(&id.key()).ok_or_else(|| missing(id))
}

fn missing(id: &ResourceId) -> ArmError {
    let kind = if id.kind == MACHINES {
        MACHINES
    } else {
        SCALE_SETS
    };
    ArmError::resource_not_found(kind, &id.name, &id.group)
}
