//! When people are told again why a profile is not ready: the API server forgets Events after an hour.

use std::time::Duration;

/// Shortest time between two reminders.
pub const BETWEEN: Duration = Duration::from_secs(600);

/// What to do about reminders of one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reminder {
    /// Nothing is wrong any more; forget what was said.
    Forget,
    /// It has just been said, with the change of `Ready`; note the time.
    Note,
    /// It was said not long ago; wait.
    Wait,
    /// Say it again, and note the time.
    Send,
}

/// What to do, given why the profile is not ready `now`, and the reason that was said last with the time
/// since.
#[must_use]
pub fn reminder(now: Option<&str>, last: Option<(&str, Duration)>) -> Reminder {
    match (now, last) {
        (None, _) => Reminder::Forget,
        (Some(why), Some((said, since))) if said == why => match since < BETWEEN {
            true => Reminder::Wait,
            false => Reminder::Send,
        },
        (Some(_), _) => Reminder::Note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_said_again_and_what_is_new_was_just_said() {
        let just_before = BETWEEN.saturating_sub(Duration::from_nanos(1));
        for (now, last, expected) in [
            (None, None, Reminder::Forget),
            (None, Some(("a", BETWEEN)), Reminder::Forget),
            (Some("a"), None, Reminder::Note),
            (Some("a"), Some(("b", BETWEEN)), Reminder::Note),
            (Some("a"), Some(("a", just_before)), Reminder::Wait),
            (Some("a"), Some(("a", BETWEEN)), Reminder::Send),
        ] {
            assert_eq!(reminder(now, last), expected, "{now:?} {last:?}");
        }
    }
}
