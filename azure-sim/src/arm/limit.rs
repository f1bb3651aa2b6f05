//! ARM's request limits: the refusal, and the header with the number of requests that remain.

use http::StatusCode;

use super::context::Context;
use super::error::{ArmError, Result};
use crate::message::Reply;
use crate::throttle::{RequestClass, Throttled};

/// How many requests the caller can make before it is refused.
pub(super) struct Remaining {
    /// The header's name without its common beginning: `subscription-reads`.
    limit: String,
    count: u64,
}

/// Counts a request against the limit of the subscription, or of the tenant if the path is in no
/// subscription.
pub(super) fn take(context: &Context<'_>, subscription: Option<&str>) -> Result<Remaining> {
    let class = RequestClass::of(&context.request.method);
    let name = subscription.unwrap_or("tenant");
    let count = context
        .shared
        .buckets()
        .take(name, &context.caller.oid, class)
        .map_err(|throttled| refusal(name, throttled))?;
    let level = subscription.map_or("tenant", |_| "subscription");
    Ok(Remaining {
        limit: format!("{level}-{}", class.header_suffix()),
        count,
    })
}

impl Remaining {
    pub(super) fn header(&self, reply: Reply) -> Reply {
        let name = format!("x-ms-ratelimit-remaining-{}", self.limit);
        reply.with(&name, self.count.to_string())
    }
}

fn refusal(subscription: &str, Throttled { retry_after }: Throttled) -> ArmError {
    let message = format!(
        "Number of requests for subscription '{subscription}' and operation exceeded the limit. \
         Please try again after '{retry_after}' seconds."
    );
    ArmError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "SubscriptionRequestsThrottled",
        message,
    )
    .with("retry-after", retry_after.to_string())
}
