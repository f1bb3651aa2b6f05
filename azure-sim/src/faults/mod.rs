//! Faults as data: what shall go wrong, where, how often.
//!
//! A [`Fault`] aims an [`Effect`] at an operation and perhaps a resource, and is worn down by a
//! count or a duration. Chance comes from a seeded source, so a run can be repeated. Six effects
//! carry the whole catalogue of what Azure is known to do wrong; [`Preset`] names the usual ones.

mod book;
mod effect;
mod preset;

use serde::{Deserialize, Serialize};

pub(crate) use book::FaultBook;
pub use effect::{Effect, Outcome};
pub(crate) use effect::{alter, respond};
pub use preset::Preset;

use crate::operation::OperationPattern;

/// Something that shall go wrong.
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
    /// What the call log calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operations it strikes: `arm.identity.put`, `arm.vmss.*`, `*`.
    pub operation: OperationPattern,
    /// Part of the resource's id, letter case aside; every resource if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What happens.
    pub effect: Effect,
    /// Calls it strikes before it is spent; without end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Azure's seconds until it is over; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Chance of each call being struck, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Seed of that chance; the simulator's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A fault that strikes every call of an operation until it is cleared.
    pub fn new(operation: impl Into<OperationPattern>, effect: Effect) -> Self {
        Self {
            name: None,
            operation: operation.into(),
            resource: None,
            effect,
            count: None,
            seconds: None,
            probability: 1.0,
            seed: None,
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

    /// The fault, over after `seconds` of Azure's time.
    #[must_use]
    pub fn lasting(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self
    }
}

/// An armed fault, as `GET /faults` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmedFault {
    /// Its number, for `DELETE /faults/{id}`.
    pub id: u64,
    /// Calls struck so far.
    pub struck: u64,
    /// Whether count or duration have used it up.
    pub spent: bool,
    /// The fault as armed.
    #[serde(flatten)]
    pub fault: Fault,
}
