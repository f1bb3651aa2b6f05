//! What tests of deletions and of what a class takes away have in common.

use serde_json::json;

use super::fixture::Fixture;

impl Fixture {
    /// A profile that asks for one role.
    pub(in crate::profile) fn with_role() -> Self {
        let access = json!([{ "role": "Reader", "scope": "/subscriptions/s/resourceGroups/apps" }]);
        Self::with_profile(json!({ "className": "c", "access": access }))
    }

    /// `Ready` of the profile, as reason and message.
    pub(in crate::profile) fn ready(&self) -> (String, String) {
        let status = self.profile().status.expect("a status");
        let mut conditions = status.conditions.into_iter().flatten();
        let ready = conditions.find(|condition| condition.type_ == "Ready");
        let ready = ready.expect("Ready");
        (ready.reason, ready.message)
    }
}
