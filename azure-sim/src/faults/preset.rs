//! Well-known faults by name.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::effect::{Effect, Outcome};
use super::fault::Fault;
use crate::clock::Clock;
use crate::operation::{Operation, OperationPattern, UnknownOperation};

/// A fault that Azure is known for, ready to arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// ARM refuses writes with 429 and a `Retry-After`.
    ArmThrottle,
    /// A change of a VM or scale set runs for several polls.
    SlowAsync,
    /// ARM answers 502 in HTML for some calls.
    ServerErrors,
    /// What was just written reads as 404 for some calls.
    ReadAfterWrite,
    /// Role assignments do not find a new principal yet.
    PrincipalReplication,
    /// An identity cannot be assigned to any VM or scale set, and every PATCH that contains it fails.
    /// Select the identity with `resource`.
    PoisonedIdentity,
    /// IMDS is updating and answers 410.
    ImdsUpdating,
    /// IMDS does not know an identity that was just assigned.
    IdentityLag,
}

impl Preset {
    /// Every preset.
    pub(crate) const ALL: &'static [Self] = &[
        Self::ArmThrottle,
        Self::SlowAsync,
        Self::ServerErrors,
        Self::ReadAfterWrite,
        Self::PrincipalReplication,
        Self::PoisonedIdentity,
        Self::ImdsUpdating,
        Self::IdentityLag,
    ];

    /// The name in `POST /faults`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ArmThrottle => "arm-throttle",
            Self::SlowAsync => "slow-async",
            Self::ServerErrors => "server-errors",
            Self::ReadAfterWrite => "read-after-write",
            Self::PrincipalReplication => "principal-replication",
            Self::PoisonedIdentity => "poisoned-identity",
            Self::ImdsUpdating => "imds-updating",
            Self::IdentityLag => "identity-lag",
        }
    }

    /// The fault of this preset.
    pub(crate) fn fault(self, clock: Clock) -> Result<Fault, UnknownOperation> {
        let fault = match self {
            Self::ArmThrottle => Fault::new(pattern("arm.*")?, arm_throttle(clock)).times(1),
            Self::SlowAsync => Fault::new(pattern("arm.vm*")?, slow_operation()),
            Self::ServerErrors => Fault::new(pattern("arm.*")?, bad_gateway()).times(3),
            Self::ReadAfterWrite => Fault::new(pattern("arm.*.get")?, lag(None, Some(3), false)),
            Self::PrincipalReplication => {
                Fault::new(Operation::RoleAssignmentPut, lag(Some(30.0), None, true))
            }
            // A lag without a limit: no VM or scale set ever finds the identity.
            Self::PoisonedIdentity => Fault::new(Operation::IdentityAssign, lag(None, None, false)),
            Self::ImdsUpdating => Fault::new(pattern("imds.*")?, gone()).lasting(70.0),
            Self::IdentityLag => Fault::new(Operation::ImdsToken, lag(Some(30.0), None, false)),
        };
        Ok(Fault {
            name: Some(self.name().into()),
            ..fault
        })
    }
}

fn pattern(text: &str) -> Result<OperationPattern, UnknownOperation> {
    text.parse()
}

fn lag(seconds: Option<f64>, calls: Option<u64>, spare_typed: bool) -> Effect {
    Effect::Lag {
        seconds,
        calls,
        spare_typed,
    }
}

fn slow_operation() -> Effect {
    Effect::Async {
        polls: 3,
        retry_after: 10.0,
        outcome: Outcome::Succeeded,
        code: None,
    }
}

fn arm_throttle(clock: Clock) -> Effect {
    let wait = clock.whole_seconds(7.0);
    let message = format!(
        "Number of requests for subscription and operation exceeded the limit. Please try again \
         after '{wait}' seconds."
    );
    let headers = [
        ("Retry-After", wait.to_string()),
        ("x-ms-ratelimit-remaining-subscription-writes", "0".into()),
    ];
    let body = json!({"error": {"code": "SubscriptionRequestsThrottled", "message": message}});
    answer(429, &headers, body)
}

fn bad_gateway() -> Effect {
    let page = "<html><head><title>502 Bad Gateway</title></head>\
                <body><h1>502 Bad Gateway</h1></body></html>";
    answer(502, &[], page.into())
}

fn gone() -> Effect {
    answer(
        410,
        &[],
        json!({"error": "gone", "error_description": "The endpoint is being updated."}),
    )
}

fn answer(status: u16, headers: &[(&str, String)], body: Value) -> Effect {
    let headers = headers
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect();
    Effect::Respond {
        status,
        headers,
        body: Some(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_fault_and_keeps_its_name_as_json() -> Result<(), UnknownOperation> {
        for preset in Preset::ALL {
            let fault = preset.fault(Clock::new(1.0))?;
            assert_eq!(fault.name.as_deref(), Some(preset.name()));
            assert_eq!(json!(preset), json!(preset.name()));
        }
        Ok(())
    }
}
