//! Repeats the Event on a profile that is not ready, because the API server deletes Events after an hour.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::{Resource, ResourceExt};
use podid_core::condition::not_ready_event;
use podid_crds::podid::PodIdentityProfile;
use podid_index::events::{EventHistory, EventWriter, Publish, Repetition};

use crate::conditions::core_conditions;
use crate::events;

/// Time between two reminders; events are kept for an hour.
const REPETITION: Repetition = Repetition {
    first: Duration::from_secs(600),
    longest: Duration::from_secs(600),
};

/// When the last Event on each profile that is not ready was published, by uid. Clones share one state.
#[derive(Clone, Debug)]
pub struct Reminders(Arc<Mutex<EventHistory<String>>>);

impl Default for Reminders {
    fn default() -> Self {
        // Profiles that are gone are forgotten, so it needs no bound of its own.
        let history = EventHistory::new(REPETITION, usize::MAX);
        Self(Arc::new(Mutex::new(history)))
    }
}

impl Reminders {
    /// Repeats the Event about why the profile is not ready, if that is due.
    pub(super) fn remind(&self, profile: &PodIdentityProfile, writer: &EventWriter) {
        let conditions = core_conditions(profile);
        let event = not_ready_event(&conditions);
        let why = event.as_ref().map(|event| event.message);
        let is_due = self.is_due(&profile.uid().unwrap_or_default(), why);
        if let Some(event) = event.filter(|_| is_due) {
            events::publish(writer, &profile.object_ref(&()), &event);
        }
    }

    /// Forgets a profile that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.is_due(uid, None);
    }

    /// Whether an Event with `why` is due again. A new cause has just been published with the change of
    /// `Ready`, and only starts the clock.
    fn is_due(&self, uid: &str, why: Option<&str>) -> bool {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = uid.to_owned();
        match why {
            Some(why) => history.publish_repeatedly(&uid, "Ready", why) == Publish::Again,
            None => {
                history.forget(&uid);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_said_again_and_what_is_new_was_just_said() {
        let reminders = Reminders::default();
        assert!(!reminders.is_due("u", Some("a")), "just said");
        tokio::time::advance(REPETITION.first / 2).await;
        assert!(!reminders.is_due("u", Some("a")));
        tokio::time::advance(REPETITION.first / 2).await;
        assert!(reminders.is_due("u", Some("a")));
        assert!(!reminders.is_due("u", Some("a")));
        tokio::time::advance(REPETITION.first).await;
        assert!(!reminders.is_due("u", Some("b")), "just said");
        assert!(!reminders.is_due("u", None));
        tokio::time::advance(REPETITION.first).await;
        assert!(!reminders.is_due("u", Some("b")), "it was mended meanwhile");
        reminders.forget("u");
        assert!(reminders.0.lock().expect("no panic").is_empty());
    }
}
