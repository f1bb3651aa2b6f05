//! Which requests may be sent to Azure Resource Manager, decided by the caller of this crate.

use std::{error::Error, fmt, time::Duration};

use reqwest::Method;

use super::Operation;
use crate::Reply;

/// One request to ARM that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct ArmCall<'a> {
    /// Which function of this crate makes it.
    pub operation: Operation,
    /// Resource id or scope that it is about.
    pub resource: &'a str,
    /// HTTP method.
    pub method: &'a Method,
}

impl ArmCall<'_> {
    /// Whether the request changes something in Azure. The method decides, not the operation: a
    /// `PATCH` that Azure works on for long is followed by `GET`s of the same operation.
    pub fn is_write(&self) -> bool {
        !self.method.is_safe()
    }
}

/// What happens to a request that is about to be sent.
#[derive(Debug)]
pub enum GateDecision {
    /// It is sent, and its answer goes to the caller.
    Send,
    /// It is sent, and its answer is thrown away: the caller sees a connection that broke before
    /// the answer came. For tests of what happens then.
    LoseAnswer,
    /// It is not sent; the caller gets an error that says so.
    Refuse(GateRefusal),
}

/// Why a request is not sent, and what follows.
#[derive(Debug)]
pub struct GateRefusal {
    /// Why.
    pub reason: Box<dyn Error + Send + Sync>,
    /// After which time it may be sent. Known for a request that is only kept for later, which is no failure.
    pub retry_after: Option<Duration>,
    /// What a person can do about it: a clause that begins in lower case and ends without a full stop.
    pub next_step: String,
}

/// Decides about every request to ARM.
///
/// **Guarantee.** [`Arm`](super::Arm) asks once for each request immediately before it leaves, when the
/// token for it is at hand: for each page of a list, each look at a running operation, and each repeat.
/// Requests for tokens are not asked about: they go to Entra or IMDS and change nothing.
pub trait ArmGate: Send + Sync + fmt::Debug {
    /// Decides about one request. Called on the way of every request, so it must not block.
    fn admit(&self, call: &ArmCall<'_>) -> GateDecision;

    /// Is told of each request that was sent and that Azure refused.
    fn refused(&self, _call: &ArmCall<'_>, _reply: &Reply) {}
}

/// Lets every request pass; for programs of which only one instance runs at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

impl ArmGate for OpenGate {
    fn admit(&self, _call: &ArmCall<'_>) -> GateDecision {
        GateDecision::Send
    }
}
