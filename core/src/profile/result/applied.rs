use super::{ConditionType, ReconcileResult};
use crate::condition::{ConditionStatus, ReconcileOutcome, SubCondition};

/// The digest of the applied spec to write to the status after a reconciliation; `current` is the digest of
/// the spec and `noted` the one in the status. It is `current` when everything is made, even if pods do not
/// get the identity, and `None` while something is missing. A suspended profile is not worked on, so it
/// keeps `noted`.
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

/// Whether the spec with the digest `current` was applied.
#[must_use]
pub fn is_applied(current: Option<&str>, noted: Option<&str>) -> bool {
    noted.is_some() && noted == current
}

/// Whether the binding of the spec is applied, so that `status.binding` may show it. The `NET_RAW`
/// admission policy reads that field: a binding that was only planned, or refused, must not relax it.
#[must_use]
pub fn is_binding_applied(result: &ReconcileResult) -> bool {
    is_true(&result.sub_conditions, ConditionType::BindingReady) && result.planned.is_empty()
}

fn is_true(found: &[SubCondition], condition: ConditionType) -> bool {
    let mut found = found.iter();
    found.any(|part| part.kind == condition.as_str() && part.status == ConditionStatus::True)
}
