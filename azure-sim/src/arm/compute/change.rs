//! PATCH and PUT of machines and scale sets: all of the identities asked for, or nothing; then a
//! long-running operation until they can be used.

use std::collections::BTreeMap;
use std::time::Instant;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, Refusal};
use super::{action, find, missing, render};
use crate::arm::context::Context;
use crate::arm::error::{ArmError, Result};
use crate::clock::arm_time;
use crate::faults::{Effect, Outcome};
use crate::operation::Operation;
use crate::state::ids::ResourceId;
use crate::state::{Attached, Change, Host, Identity, IdentityBlock, State, SystemIdentity};
use crate::wire::Reply;

const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

#[derive(Deserialize)]
struct Body {
    identity: Option<Value>,
    tags: Option<BTreeMap<String, String>>,
}

/// Merges the identities into those that are there.
pub(in crate::arm) fn patch(
    context: &Context<'_>,
    state: &mut State,
    id: &ResourceId,
) -> Result<Reply> {
    change(context, state, id, false)
}

/// Replaces the identities. Making a new machine or scale set is not simulated.
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
    let host = match find(state, id) {
        Err(_) if replace => {
            return Err(ArmError::not_simulated(
                "making machines; put them in the world",
            ));
        }
        found => found?,
    };
    check_preconditions(context, host)?;
    if host.running.is_some() {
        return Err(ArmError::conflict(
            "Conflict",
            "The request failed due to conflict with a concurrent request. To resolve it, please \
             refer to https://aka.ms/activitylog to get more details on the conflicting requests.",
        ));
    }
    let body: Body = context.body()?;
    let before = host.block.clone();
    let block = match &body.identity {
        Some(identity) if !identity.is_null() => {
            let base = if replace {
                IdentityBlock {
                    users: BTreeMap::new(),
                    ..before.clone()
                }
            } else {
                before.clone()
            };
            next_block(context, state, id, base, identity)?
        }
        _ if replace => IdentityBlock::default(),
        _ => before.clone(),
    };
    let operation = state.guid();
    let change = plan(context, id, before);
    let retry_after = change.retry_after;
    let host = state.hosts.get_mut(&id.key()).ok_or_else(|| missing(id))?;
    host.block = block;
    if let Some(tags) = body.tags {
        host.tags = tags;
    }
    host.version += 1;
    host.running = Some(operation.clone());
    let link = link(context, id, &host.location, &operation);
    state.changes.insert(operation, change);
    let host = find(state, id)?;
    Ok(Reply::json(StatusCode::OK, &render::host(state, host))
        .with("etag", host.etag())
        .with("azure-asyncoperation", link)
        .with(
            "retry-after",
            context.shared.clock.whole_seconds(retry_after).to_string(),
        ))
}

fn check_preconditions(context: &Context<'_>, host: &Host) -> Result<()> {
    let matches =
        |value: &str| value.trim() == "*" || value.split(',').any(|e| e.trim() == host.etag());
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
            host.id.path(),
            host.etag()
        ),
    ))
}

/// The identities after the request, each checked; one bad one refuses all.
fn next_block(
    context: &Context<'_>,
    state: &mut State,
    host: &ResourceId,
    mut block: IdentityBlock,
    identity: &Value,
) -> Result<IdentityBlock> {
    let asked = Asked::read(identity).map_err(|refusal| match refusal {
        Refusal::Plain(error) => error,
        Refusal::Inner(text) => failed(host, &text),
    })?;
    check_assignable(context, state, host, &asked.add)?;
    for id in &asked.remove {
        block.users.remove(&id.key());
    }
    for id in &asked.add {
        take_up(context, state, host, id, &mut block)?;
    }
    if !asked.user {
        block.users.clear();
    } else if block.users.is_empty() {
        return Err(ArmError::bad_request(
            "MissingIdentityIds",
            "The identity ids must not be null or empty for 'UserAssigned' identity type.",
        ));
    }
    if !asked.system {
        block.system = None;
    } else if block.system.is_none() {
        block.system = Some(SystemIdentity {
            principal_id: state.guid(),
            client_id: state.guid(),
        });
    }
    Ok(block)
}

/// ARM's own check, before compute sees the request: the right to assign each identity.
fn check_assignable(
    context: &Context<'_>,
    state: &State,
    host: &ResourceId,
    ids: &[ResourceId],
) -> Result<()> {
    let refused: Vec<_> = ids
        .iter()
        .map(ResourceId::path)
        .filter(|id| !state.may(&context.caller.oid, ASSIGN, id))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(ArmError::new(
        StatusCode::FORBIDDEN,
        "LinkedAuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' has permission to perform action '{}' on scope \
             '{}'; however, it does not have permission to perform action(s) '{ASSIGN}' on the \
             linked scope(s) '{}' (respectively) or the linked scope(s) are invalid.",
            context.caller.appid,
            context.caller.oid,
            action(host.kind, "write"),
            host.path(),
            refused.join(","),
        ),
    ))
}

fn take_up(
    context: &Context<'_>,
    state: &State,
    host: &ResourceId,
    id: &ResourceId,
    block: &mut IdentityBlock,
) -> Result<()> {
    let known = state
        .identities
        .get(&id.key())
        .filter(|i| !context.lags_in(Operation::IdentityAssign, &id.path(), i.born));
    let Some(identity) = known else {
        return Err(failed(
            host,
            &format!("Resource '{}' was not found.", id.path()),
        ));
    };
    let location = &state
        .hosts
        .get(&host.key())
        .ok_or_else(|| missing(host))?
        .location;
    if identity.isolation_scope == "Regional" && identity.location != *location {
        let text = format!(
            "Identity '{}' of location '{}' with isolation scope 'Regional' cannot be assigned in location '{location}'.",
            id.path(),
            identity.location,
        );
        return Err(failed(host, &text));
    }
    match block.users.get_mut(&id.key()) {
        // Assigned again under the same name after it was made anew: the host learns the new ids.
        Some(attached) if attached.client_id == identity.client_id => {}
        _ => {
            block.users.insert(id.key(), taken_up(identity));
        }
    }
    Ok(())
}

fn taken_up(identity: &Identity) -> Attached {
    Attached {
        id: identity.id.path(),
        client_id: identity.client_id.clone(),
        principal_id: identity.principal_id.clone(),
        active: false,
        since: Instant::now(),
    }
}

fn failed(host: &ResourceId, inner: &str) -> ArmError {
    let response = json!({"error": {"code": "BadRequest", "message": inner}});
    ArmError::bad_request(
        "FailedIdentityOperation",
        format!(
            "Identity operation for resource '{}' failed with error 'Failed to perform resource \
             identity operation. Status: 'BadRequest'. Response: '{response}'.'.",
            host.path(),
        ),
    )
}

/// How the operation will go: as a fault says, or simply taking its time.
fn plan(context: &Context<'_>, host: &ResourceId, before: IdentityBlock) -> Change {
    let usual = context.shared.compute_seconds;
    let change = Change {
        host: host.key(),
        started: context.shared.clock.now(),
        born: Instant::now(),
        polls_left: None,
        seconds: usual,
        retry_after: usual,
        outcome: Outcome::Succeeded,
        code: None,
        before,
        ended: None,
    };
    let struck = context
        .shared
        .faults()
        .strike_async(context.named.operation, &context.route.path);
    match struck.map(|s| s.effect) {
        Some(Effect::Async {
            polls,
            retry_after,
            outcome,
            code,
        }) => Change {
            polls_left: Some(polls),
            // For those who never poll; well beyond the last `InProgress`.
            seconds: context.shared.clock.waited(retry_after) * f64::from(polls.saturating_add(2)),
            retry_after,
            outcome,
            code,
            ..change
        },
        _ => change,
    }
}

fn link(context: &Context<'_>, id: &ResourceId, location: &str, operation: &str) -> String {
    format!(
        "https://{}/subscriptions/{}/providers/Microsoft.Compute/locations/{location}/operations/{operation}?p={}&api-version={}",
        context.request.authority,
        id.subscription,
        uuid::Uuid::new_v4(),
        context.version,
    )
}

/// A poll. Whoever holds the link may follow it.
pub(in crate::arm) fn operation(
    context: &Context<'_>,
    state: &mut State,
    id: &str,
) -> Result<Reply> {
    let unknown = || {
        ArmError::not_found(
            "OperationNotFound",
            format!("The operation '{id}' was not found."),
        )
    };
    let change = state.changes.get_mut(id).ok_or_else(unknown)?;
    if change.ended.is_none() {
        match &mut change.polls_left {
            Some(0) => state.finish(id, context.shared.clock),
            Some(left) => *left -= 1,
            None => {}
        }
    }
    let change = state.changes.get(id).ok_or_else(unknown)?;
    let mut body = json!({"startTime": arm_time(change.started), "name": id});
    let Some(ended) = change.ended else {
        body["status"] = json!("InProgress");
        let wait = context.shared.clock.whole_seconds(change.retry_after);
        return Ok(Reply::json(StatusCode::OK, &body).with("retry-after", wait.to_string()));
    };
    body["endTime"] = json!(arm_time(ended));
    body["status"] = json!(change.outcome.word());
    if change.outcome != Outcome::Succeeded {
        let code = change.code.as_deref().unwrap_or("InternalExecutionError");
        body["error"] =
            json!({"code": code, "message": format!("The operation ended with '{code}'.")});
    }
    Ok(Reply::json(StatusCode::OK, &body))
}
