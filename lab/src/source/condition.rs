//! The conditions of a source, by source-controller's names.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// How a source does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Its artifact is served.
    Ready {
        reason: &'static str,
        message: String,
    },
    /// It failed and is tried again.
    Failed {
        reason: &'static str,
        message: String,
    },
    /// It failed, and only a change of its spec can help.
    Stalled { message: String },
}

/// The conditions for this health. Transition times are kept from `previous` where nothing changed.
pub(super) fn conditions(
    health: &Health,
    generation: Option<i64>,
    previous: &[Condition],
) -> Vec<Condition> {
    let wanted: Vec<(&str, bool, &str, &str)> = match health {
        Health::Ready { reason, message } => vec![
            ("Ready", true, reason, message),
            ("ArtifactInStorage", true, "Succeeded", message),
        ],
        Health::Failed { reason, message } => vec![
            ("Ready", false, reason, message),
            ("FetchFailed", true, reason, message),
        ],
        Health::Stalled { message } => vec![
            ("Ready", false, "Unsupported", message),
            ("Stalled", true, "Unsupported", message),
        ],
    };
    let now = Time(Timestamp::now());
    wanted
        .into_iter()
        .map(|(kind, holds, reason, message)| {
            let status = if holds { "True" } else { "False" };
            let old = previous
                .iter()
                .find(|old| old.type_ == kind && old.status == status);
            Condition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                observed_generation: generation,
                last_transition_time: old
                    .map_or_else(|| now.clone(), |old| old.last_transition_time.clone()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_state_keeps_its_times() {
        let ready = Health::Ready {
            reason: "Succeeded",
            message: "stored".to_owned(),
        };
        let mut first = conditions(&ready, Some(1), &[]);
        for condition in &mut first {
            condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
        }
        assert_eq!(conditions(&ready, Some(1), &first), first);
        let stalled = Health::Stalled {
            message: "no".to_owned(),
        };
        let next = conditions(&stalled, Some(2), &first);
        assert_ne!(next[0].last_transition_time, first[0].last_transition_time);
    }
}
