//! The asynchronous operation that a change of a VM or scale set starts.

use std::time::Instant;

use http::StatusCode;
use serde_json::json;

use crate::arm::context::Context;
use crate::arm::error::{ArmError, Result};
use crate::clock::arm_time;
use crate::faults::{Effect, Outcome};
use crate::ids::ResourceId;
use crate::message::Reply;
use crate::resources::{AsyncOperation, IdentityBlock};
use crate::state::State;

/// The operation with its course: as a fault sets it, else it succeeds after the usual time.
pub(super) fn course(
    context: &Context<'_>,
    compute: &ResourceId,
    before: IdentityBlock,
) -> AsyncOperation {
    let usual = context.shared.compute_seconds;
    let operation = AsyncOperation {
        compute: compute.key(),
        started: context.shared.clock.now(),
        started_at: Instant::now(),
        polls_left: None,
        seconds: usual,
        retry_after: usual,
        outcome: Outcome::Succeeded,
        code: None,
        before,
        ended: None,
    };
    let matched = context
        .shared
        .faults()
        .match_async_operation(context.invocation.operation, &context.route.path);
    match matched.map(|m| m.effect) {
        Some(Effect::Async {
            polls,
            retry_after,
            outcome,
            code,
        }) => AsyncOperation {
            polls_left: Some(polls),
            // The operation must end even if nobody polls, but not before a client that polls has
            // seen its last `InProgress`. Two polls more are late enough for that.
            seconds: context.shared.clock.waited(retry_after) * f64::from(polls.saturating_add(2)),
            retry_after,
            outcome,
            code,
            ..operation
        },
        _ => operation,
    }
}

/// The address at which the operation can be polled.
pub(super) fn link(
    context: &Context<'_>,
    id: &ResourceId,
    location: &str,
    operation: &str,
) -> String {
    format!(
        "https://{}/subscriptions/{}/providers/Microsoft.Compute/locations/{location}/operations/{operation}?p={}&api-version={}",
        context.request.authority,
        id.subscription,
        uuid::Uuid::new_v4(),
        context.version,
    )
}

/// Answers a poll. It needs no role: whoever has the link may use it.
pub(in crate::arm) fn poll(context: &Context<'_>, state: &mut State, id: &str) -> Result<Reply> {
    let unknown = || {
        ArmError::not_found(
            "OperationNotFound",
            format!("The operation '{id}' was not found."),
        )
    };
    let operation = state.async_operations.get_mut(id).ok_or_else(unknown)?;
    if operation.ended.is_none() {
        match &mut operation.polls_left {
            Some(0) => state.end_operation(id, context.shared.clock),
            Some(left) => *left -= 1,
            None => {}
        }
    }
    let operation = state.async_operations.get(id).ok_or_else(unknown)?;
    let mut body = json!({"startTime": arm_time(operation.started), "name": id});
    let Some(ended) = operation.ended else {
        body["status"] = json!("InProgress");
        let wait = context.shared.clock.whole_seconds(operation.retry_after);
        return Ok(Reply::json(StatusCode::OK, &body).with("retry-after", wait.to_string()));
    };
    body["endTime"] = json!(arm_time(ended));
    body["status"] = json!(operation.outcome.word());
    if operation.outcome != Outcome::Succeeded {
        let code = operation
            .code
            .as_deref()
            .unwrap_or("InternalExecutionError");
        body["error"] =
            json!({"code": code, "message": format!("The operation ended with '{code}'.")});
    }
    Ok(Reply::json(StatusCode::OK, &body))
}
