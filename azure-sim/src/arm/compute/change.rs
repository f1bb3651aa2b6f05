//! PATCH and PUT of VMs and scale sets. A request assigns all of its identities or none, and starts
//! a long-running operation; the identities can be used when the operation has ended.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::assign::{Target, next_block};
use super::lookup::{action, find, missing};
use super::{operation, render};
use crate::arm::context::Context;
use crate::arm::error::{ArmError, Result};
use crate::ids::ResourceId;
use crate::message::Reply;
use crate::resources::{ComputeResource, IdentityBlock};
use crate::state::State;

#[derive(Deserialize)]
struct Body {
    identity: Option<Value>,
    tags: Option<BTreeMap<String, String>>,
}

/// Merges the request's identities into the present ones.
pub(in crate::arm) fn patch(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
) -> Result<Reply> {
    change(context, state, id, false)
}

/// Replaces the identities. Creating a VM or scale set is not simulated.
pub(in crate::arm) fn put(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
) -> Result<Reply> {
    change(context, state, id, true)
}

fn change(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
    replace: bool,
) -> Result<Reply> {
    context.require(state, &action(id.kind, "write"), &id.path())?;
    context.group(state, id)?;
    let compute = find(state, id).map_err(|missing| {
        if replace {
            ArmError::not_simulated("creating VMs and scale sets; put them in the seed")
        } else {
            missing
        }
    })?;
    check_preconditions(context, compute)?;
    check_idle(compute)?;
    let before = compute.identity.clone();
    let body: Body = context.body()?;
    let identity = new_identity(context, state, id, &before, &body, replace)?;
    let operation = state.random_guid();
    let course = operation::course(context, id, before);
    let retry_after = course.retry_after;
    let compute = state
        .compute
        .get_mut(&id.key())
        .ok_or_else(|| missing(id))?;
    compute.identity = identity;
    if let Some(tags) = body.tags {
        compute.tags = tags;
    }
    compute.version += 1;
    compute.running_operation = Some(operation.clone());
    let link = operation::link(context, id, &compute.location, &operation);
    state.async_operations.insert(operation, course);
    let retry_after = context.shared.clock.whole_seconds(retry_after);
    Ok(started(state, find(state, id)?, link, retry_after))
}

/// The answer to a request that has started an operation, to be polled at `link` after so many
/// seconds.
fn started(state: &State, compute: &ComputeResource, link: String, retry_after: u64) -> Reply {
    Reply::json(StatusCode::OK, &render::compute(state, compute))
        .with("etag", compute.etag())
        .with("azure-asyncoperation", link)
        .with("retry-after", retry_after.to_string())
}

/// The identities after the request.
fn new_identity(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
    before: &IdentityBlock,
    body: &Body,
    replace: bool,
) -> Result<IdentityBlock> {
    let requested = body.identity.as_ref().filter(|i| !i.is_null());
    let Some(requested) = requested else {
        // A PUT without identities removes them all; a PATCH leaves them alone.
        return Ok(if replace {
            IdentityBlock::default()
        } else {
            before.clone()
        });
    };
    let mut base = before.clone();
    if replace {
        base.user_assigned.clear();
    }
    let target = Target { context, id };
    next_block(&target, state, base, requested)
}

/// Azure refuses a change while another one is running.
fn check_idle(compute: &ComputeResource) -> Result<()> {
    if compute.running_operation.is_none() {
        return Ok(());
    }
    Err(ArmError::conflict(
        "Conflict",
        "The request failed due to conflict with a concurrent request. To resolve it, please \
         refer to https://aka.ms/activitylog to get more details on the conflicting requests.",
    ))
}

fn check_preconditions(context: &Context<'_>, compute: &ComputeResource) -> Result<()> {
    let matches =
        |value: &str| value.trim() == "*" || value.split(',').any(|e| e.trim() == compute.etag());
    let wrong = context
        .request
        .header("if-match")
        .is_some_and(|v| !matches(v))
        || context.request.header("if-none-match").is_some_and(matches);
    if !wrong {
        return Ok(());
    }
    Err(ArmError::new(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        format!(
            "The condition set in the request does not hold: the etag of '{}' is {}.",
            compute.id.path(),
            compute.etag()
        ),
    ))
}
