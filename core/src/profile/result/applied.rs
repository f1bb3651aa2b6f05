use super::{ConditionType, ReconcileResult};
use crate::condition::{ConditionStatus, ReconcileOutcome, SubCondition};

/// What the status notes as the applied spec after a reconciliation, where `current` is the digest of
/// the spec and `noted` what the status notes now. It is the spec's when all of it is made, whatever its
/// pods make of it, and nothing while something is missing. A suspended profile is not worked on, so its
/// note stays.
#[must_use]
pub fn applied_spec(
    result: &ReconcileResult,
    current: Option<String>,
    noted: Option<String>,
) -> Option<String> {
    let made = |condition: &ConditionType| is_true(&result.sub_conditions, *condition);
    match result.outcome {
        ReconcileOutcome::Suspended { .. } => noted,
        _ if ConditionType::MADE.iter().all(made) => current,
        _ => None,
    }
}

/// Whether the spec of the digest `current` asks for what was made, and no more.
#[must_use]
pub fn is_applied(current: Option<&str>, noted: Option<&str>) -> bool {
    noted.is_some() && noted == current
}

/// Whether the binding of the spec is applied, so that `status.binding` may show it. The `NET_RAW`
/// admission policy goes by that field: a binding that was only planned, or refused, must not relax it.
#[must_use]
pub fn is_binding_applied(result: &ReconcileResult) -> bool {
    is_true(&result.sub_conditions, ConditionType::BindingReady) && result.planned.is_empty()
}

fn is_true(found: &[SubCondition], condition: ConditionType) -> bool {
    let mut found = found.iter();
    found.any(|part| part.kind == condition.as_str() && part.status == ConditionStatus::True)
}
