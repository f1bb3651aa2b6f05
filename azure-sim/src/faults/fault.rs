//! A fault: which calls it applies to, and what it does to them.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use crate::operation::OperationPattern;

/// A misbehaviour of the simulator.
///
/// ```
/// let fault: azure_sim::Fault = serde_json::from_str(
///     r#"{"operation": "imds.token", "count": 2,
///         "effect": {"kind": "respond", "status": 500, "body": {"error": "unknown"}}}"#,
/// ).unwrap();
/// assert_eq!(fault.count, Some(2));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Name in the call log; `fault-{id}` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Operations it applies to: `arm.identity.put`, `arm.vmss.*`, `*`.
    pub operation: OperationPattern,
    /// Text that the resource's id contains, without regard to letter case; every resource if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What happens to the calls.
    pub effect: Effect,
    /// Number of calls after which it is spent; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Azure's seconds after which it is spent; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Probability that it applies to a matching call, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Seed of that random choice; derived from the simulator's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "seed")]
    pub random_seed: Option<u64>,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A fault that applies to every call of an operation until it is disarmed.
    pub fn new(operation: impl Into<OperationPattern>, effect: Effect) -> Self {
        Self {
            name: None,
            operation: operation.into(),
            resource: None,
            effect,
            count: None,
            seconds: None,
            probability: 1.0,
            random_seed: None,
        }
    }

    /// The fault, on resources whose id contains `part`.
    #[must_use]
    pub fn on(mut self, part: impl Into<String>) -> Self {
        self.resource = Some(part.into());
        self
    }

    /// The fault, spent after `count` calls.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// The fault, spent after `seconds` of Azure's time.
    #[must_use]
    pub(crate) fn lasting(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self
    }
}

/// An armed fault, as `GET /faults` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmedFault {
    /// Number for `DELETE /faults/{id}`.
    pub id: u64,
    /// Number of calls it has applied to.
    #[serde(rename = "struck")]
    pub matched: u64,
    /// Whether its count or its duration is over.
    pub spent: bool,
    /// The fault as it was armed.
    #[serde(flatten)]
    pub fault: Fault,
}
