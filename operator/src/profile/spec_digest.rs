//! The digest in the status of the spec that was applied.

use podid_core::profile::result;
use podid_crds::podid::{PodIdentityProfile, PodIdentityProfileSpec};
use uuid::Uuid;

/// Of our own digests; a random number.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d6c_11a4_5e0f_4b6e_9c1b_2f83_a0d4_5e17);

/// Digest of what a spec asks for. `suspend`, `interval` and `deletionGracePeriod` are not part of it.
pub(super) fn digest(spec: &PodIdentityProfileSpec) -> Option<String> {
    let asked = PodIdentityProfileSpec {
        suspend: None,
        interval: None,
        deletion_grace_period: None,
        ..spec.clone()
    };
    let text = serde_json::to_vec(&asked).ok()?;
    Some(Uuid::new_v5(&NAMESPACE, &text).to_string())
}

/// Whether the spec asks for what was made, and no more.
pub(super) fn is_applied(profile: &PodIdentityProfile) -> bool {
    let noted = profile.status.as_ref();
    let noted = noted.and_then(|status| status.applied_spec.as_deref());
    result::is_applied(digest(&profile.spec).as_deref(), noted)
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
        let applied = digest(&profile(spec, None).spec);
        assert!(applied.is_some());
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
            (
                json!({ "className": "c", "identity": { "name": "a" }, "deletionGracePeriod": "5m" }),
                true,
            ),
            (json!({ "className": "c", "suspend": true }), false),
        ] {
            let edited = profile(spec, applied.clone());
            assert_eq!(is_applied(&edited), current, "{:?}", edited.spec);
        }
        assert!(!is_applied(&profile(json!({ "className": "c" }), None)));
    }
}
