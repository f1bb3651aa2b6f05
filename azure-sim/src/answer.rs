//! What the router and the services exchange: the operation that a request asks for, and the
//! service's answer to it.

use crate::message::Reply;
use crate::operation::Operation;

/// An operation on a resource: what faults are matched against and what the call log records.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) operation: Operation,
    /// The resource's id; where it has none (a tenant, a vault), its name.
    pub(crate) resource: String,
}

/// A service's answer, and who asked.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// Object id of the caller; absent where the request was not authenticated.
    pub(crate) principal: Option<String>,
    /// Actions of ARM that the request needed.
    pub(crate) actions: Vec<String>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            principal: None,
            actions: Vec::new(),
        }
    }
}
