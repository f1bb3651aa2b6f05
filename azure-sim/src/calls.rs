//! The call log: which operations were called, by whom, and with what result.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::operation::OperationPattern;

/// Calls kept. Older ones are dropped; the counters still include them.
const CAPACITY: usize = 20_000;

/// One call, as `GET /calls` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Sequence number, from 1; never reused.
    pub seq: u64,
    /// When it was answered.
    pub time: jiff::Timestamp,
    /// Name of the operation, such as `arm.identity.put`.
    pub operation: String,
    /// HTTP method.
    pub method: String,
    /// Host name from the request, without the port.
    pub host: String,
    /// Path, without the query.
    pub path: String,
    /// The resource concerned: its id; for Entra the tenant, with the client id of a token request;
    /// for IMDS the id of the VM that asked.
    pub resource: String,
    /// HTTP status; 0 if a fault dropped the connection.
    pub status: u16,
    /// Object id of the caller, if the request authenticated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Actions of ARM that the call needed, whether its caller's roles allow them or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Name of the fault that matched the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Numbers of calls, as `GET /counters` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Number of all calls.
    pub total: u64,
    /// Number of calls by operation.
    pub operations: BTreeMap<String, u64>,
    /// Number of calls by operation and status, as in `arm.identity.put 201`.
    pub outcomes: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
pub(crate) struct CallLog {
    next: u64,
    calls: VecDeque<Call>,
    counters: Counters,
}

impl CallLog {
    pub(crate) fn record(&mut self, mut call: Call) {
        self.next += 1;
        call.seq = self.next;
        self.counters.total += 1;
        *self
            .counters
            .operations
            .entry(call.operation.clone())
            .or_default() += 1;
        let outcome = format!("{} {}", call.operation, call.status);
        *self.counters.outcomes.entry(outcome).or_default() += 1;
        if self.calls.len() == CAPACITY {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// The calls kept, oldest first; only those whose operation fits the pattern, if there is one.
    pub(crate) fn list(&self, pattern: Option<&OperationPattern>) -> Vec<Call> {
        self.calls
            .iter()
            .filter(|c| pattern.is_none_or(|p| p.matches_name(&c.operation)))
            .cloned()
            .collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Removes calls and counters; the sequence numbers go on.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.counters = Counters::default();
    }
}
