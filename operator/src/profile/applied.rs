//! Whether a profile, as it is written now, has been made in full.

use podid_core::condition::{ConditionStatus, ReconcileOutcome, SubCondition};
use podid_crds::podid::{PodIdentityProfile, PodIdentityProfileSpec};
use uuid::Uuid;

/// Of our own digests; a random number.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d6c_11a4_5e0f_4b6e_9c1b_2f83_a0d4_5e17);

/// Digest of what a spec asks for. Whether and how often that is looked at is no part of it.
fn digest(spec: &PodIdentityProfileSpec) -> Option<String> {
    let asked = PodIdentityProfileSpec {
        suspend: None,
        interval: None,
        ..spec.clone()
    };
    let text = serde_json::to_vec(&asked).ok()?;
    Some(Uuid::new_v5(&NAMESPACE, &text).to_string())
}

/// What is to be noted as applied after a reconciliation: the spec when all of it is made, whatever
/// its pods make of it, and nothing while something is missing. A suspended profile is not worked on,
/// so its note stays.
pub(super) fn after(
    profile: &PodIdentityProfile,
    outcome: &ReconcileOutcome,
    found: &[SubCondition],
) -> Option<String> {
    let is_made = |kind: &str| {
        let mut found = found.iter();
        found.any(|part| part.kind == kind && part.status == ConditionStatus::True)
    };
    match outcome {
        ReconcileOutcome::Suspended { .. } => noted(profile),
        _ if MADE.iter().all(|kind| is_made(kind)) => digest(&profile.spec),
        _ => None,
    }
}

/// The parts that are made, in Azure and in the cluster.
const MADE: [&str; 3] = ["IdentityReady", "AccessReady", "BindingReady"];

/// Whether the spec asks for what was made, and no more.
pub(super) fn is_current(profile: &PodIdentityProfile) -> bool {
    let noted = noted(profile);
    noted.is_some() && noted == digest(&profile.spec)
}

fn noted(profile: &PodIdentityProfile) -> Option<String> {
    profile.status.as_ref()?.applied_spec.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn profile(spec: Value, applied: Option<String>) -> PodIdentityProfile {
        let spec = serde_json::from_value(spec).expect("a spec");
        let mut profile = PodIdentityProfile::new("p", spec);
        profile.status.get_or_insert_default().applied_spec = applied;
        profile
    }

    #[test]
    fn suspending_is_no_edit_and_everything_else_is() {
        let spec = json!({ "className": "c", "identity": { "name": "a" } });
        let ready = ReconcileOutcome::Ready {
            message: String::new(),
        };
        let all = MADE.map(|kind| SubCondition {
            kind,
            status: ConditionStatus::True,
            reason: "Made".into(),
            message: String::new(),
        });
        let applied = after(&profile(spec.clone(), None), &ready, &all);
        let message = String::new();
        let hindered = ReconcileOutcome::Retrying { message };
        let of_pods = after(&profile(spec, None), &hindered, &all);
        assert_eq!(of_pods, applied, "pods that are refused unmake nothing");
        for (spec, current) in [
            (
                json!({ "className": "c", "identity": { "name": "a" }, "suspend": true }),
                true,
            ),
            (
                json!({ "className": "c", "identity": { "name": "a" }, "interval": "5m" }),
                true,
            ),
            (
                json!({ "className": "c", "identity": { "name": "b" }, "suspend": true }),
                false,
            ),
            (json!({ "className": "c", "suspend": true }), false),
        ] {
            let edited = profile(spec, applied.clone());
            assert_eq!(is_current(&edited), current, "{:?}", edited.spec);
            let suspended = ReconcileOutcome::Suspended {
                applied: current,
                hindrance: None,
            };
            assert_eq!(after(&edited, &suspended, &[]), applied, "the note stays");
            assert_eq!(after(&edited, &hindered, &all[..2]), None);
        }
        assert!(!is_current(&profile(json!({ "className": "c" }), None)));
    }
}
