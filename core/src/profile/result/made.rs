//! The conditions and the message when everything is made.

use crate::condition::{ConditionStatus, SubCondition};
use crate::profile::ConditionType;
use crate::profile::desired::Desired;
use crate::profile::observed::{ProfileRecord, RecordedIdentity};

/// Message of `Ready`.
pub(super) fn ready_message(desired: &Desired, record: &ProfileRecord) -> String {
    let identity = record.identity.as_ref();
    format!(
        "identity {} (client id {}) has {} and serves pods with aadpodidbinding={}",
        desired.identity.id.name(),
        identity.map_or("", |identity| identity.client_id.as_str()),
        count(own_roles(record), "role"),
        desired.binding.selector,
    )
}

/// Conditions of all that is made.
pub(super) fn made_conditions(desired: &Desired, record: &ProfileRecord) -> Vec<SubCondition> {
    let own = own_roles(record);
    let of_kubelet = record.role_assignments.len() - own;
    let access = format!(
        "the identity holds {}, the kubelet identity holds {} on it",
        count(own, "role"),
        count(of_kubelet, "role"),
    );
    let binding = format!(
        "pods with aadpodidbinding={} are bound",
        desired.binding.selector
    );
    let made = |condition, reason, message| {
        sub_condition(condition, ConditionStatus::True, reason, message)
    };
    let identity = record.identity.as_ref().map(identity_ready);
    identity
        .into_iter()
        .chain([
            made(ConditionType::AccessReady, "Granted", access),
            made(ConditionType::BindingReady, "Bound", binding),
        ])
        .collect()
}

pub(super) fn identity_ready(identity: &RecordedIdentity) -> SubCondition {
    let reason = match identity.created {
        true => "Created",
        false => "Adopted",
    };
    let message = format!("identity {} exists", identity.id);
    sub_condition(
        ConditionType::IdentityReady,
        ConditionStatus::True,
        reason,
        message,
    )
}

/// How many of the recorded role assignments are the identity's own; the others are the kubelet
/// identity's, on it.
fn own_roles(record: &ProfileRecord) -> usize {
    let own = record.identity.as_ref();
    let own = own.map_or("", |identity| identity.principal_id.as_str());
    let assignments = record.role_assignments.iter();
    assignments
        .filter(|assignment| assignment.principal_id.eq_ignore_ascii_case(own))
        .count()
}

pub(super) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// A condition of a profile with this status.
pub(super) fn sub_condition(
    condition: ConditionType,
    status: ConditionStatus,
    reason: &str,
    message: String,
) -> SubCondition {
    SubCondition {
        kind: condition.as_str(),
        status,
        reason: reason.to_owned(),
        message,
    }
}
