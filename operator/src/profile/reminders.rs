//! Publishes again why a profile is not ready, for as long as that lasts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::events::Recorder;
use kube::{Resource, ResourceExt};
use podid_core::profile::reminder::{Reminder, reminder};
use podid_crds::podid::PodIdentityProfile;
use tokio::time::Instant;

use crate::events;

/// When each profile that is not ready was last told why, by uid. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Reminders(Arc<Mutex<HashMap<String, (String, Instant)>>>);

impl Reminders {
    /// Says again why the profile is not ready, if that is due.
    pub(super) async fn remind(&self, profile: &PodIdentityProfile, recorder: &Recorder) {
        let status = profile.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let why = events::complaint(&conditions);
        if self.is_due(&profile.uid().unwrap_or_default(), why) {
            events::remind(recorder, &profile.object_ref(&()), &conditions).await;
        }
    }

    /// Forgets a profile that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.is_due(uid, None);
    }

    fn is_due(&self, uid: &str, why: Option<&str>) -> bool {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(uid);
        let last = last.map(|(said, at)| (said.as_str(), now.saturating_duration_since(*at)));
        let reminder = reminder(why, last);
        match (reminder, why) {
            (Reminder::Wait, _) => {}
            (Reminder::Note | Reminder::Send, Some(why)) => {
                told.insert(uid.to_owned(), (why.to_owned(), now));
            }
            (Reminder::Forget | Reminder::Note | Reminder::Send, _) => {
                told.remove(uid);
            }
        }
        reminder == Reminder::Send
    }
}

#[cfg(test)]
mod tests {
    use podid_core::profile::reminder::BETWEEN;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_again_and_what_is_new_was_just_said() {
        let reminders = Reminders::default();
        assert!(!reminders.is_due("u", Some("a")), "just said");
        tokio::time::advance(BETWEEN / 2).await;
        assert!(!reminders.is_due("u", Some("a")));
        tokio::time::advance(BETWEEN / 2).await;
        assert!(reminders.is_due("u", Some("a")));
        assert!(!reminders.is_due("u", Some("a")));
        tokio::time::advance(BETWEEN).await;
        assert!(!reminders.is_due("u", Some("b")), "just said");
        assert!(!reminders.is_due("u", None));
        tokio::time::advance(BETWEEN).await;
        assert!(!reminders.is_due("u", Some("b")), "it was mended meanwhile");
        reminders.forget("u");
        assert!(reminders.0.lock().expect("no panic").is_empty());
    }
}
