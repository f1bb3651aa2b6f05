//! The call log: what was asked, by whom, and what was answered.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::operation::OperationPattern;

/// Calls kept; older ones are forgotten, the counters are not.
const KEPT: usize = 20_000;

/// One call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was answered.
    pub time: jiff::Timestamp,
    /// What was asked, such as `arm.identity.put`.
    pub operation: String,
    /// HTTP verb.
    pub method: String,
    /// Host it was sent to.
    pub host: String,
    /// Path, without the query.
    pub path: String,
    /// The resource concerned: its id, the tenant, or the machine that asked IMDS.
    pub resource: String,
    /// HTTP status; 0 where the connection was dropped.
    pub status: u16,
    /// Object id of the caller, where one was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Name of the fault that struck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// How often each operation ended how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All calls.
    pub total: u64,
    /// Calls by operation.
    pub operations: BTreeMap<String, u64>,
    /// Calls by operation and status, `arm.identity.put 201`.
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
        if self.calls.len() == KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// The calls kept, oldest first, of the operations meant.
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

    /// Forgets calls and counters; numbering goes on.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.counters = Counters::default();
    }
}
