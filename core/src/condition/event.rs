//! Which Events people get about conditions.

use serde::Serialize;

use super::{Condition, ConditionStatus, READY, SUCCEEDED, SUSPENDED};

/// An Event about a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionEvent<'a> {
    /// Whether its type is `Warning`; else it is `Normal`.
    pub is_warning: bool,
    #[allow(missing_docs, reason = "the name is enough")]
    pub reason: &'a str,
    #[allow(missing_docs, reason = "the name is enough")]
    pub message: &'a str,
}

/// The Event for a change from `before` to `after`, if `Ready` has another status, reason or message. Another
/// message while it stays true for the same reason is no news.
#[must_use]
pub fn ready_event<'a, T>(
    before: &[Condition<T>],
    after: &'a [Condition<T>],
) -> Option<ConditionEvent<'a>> {
    let new = of_kind(READY, after)?;
    let old = of_kind(READY, before);
    old.is_none_or(|old| is_news(old, new)).then(|| event(new))
}

/// The same for a condition that is no part of `Ready`. That it begins well is no news.
#[must_use]
pub fn condition_event<'a, T>(
    kind: &str,
    before: &[Condition<T>],
    after: &'a [Condition<T>],
) -> Option<ConditionEvent<'a>> {
    let new = of_kind(kind, after)?;
    let told = match of_kind(kind, before) {
        Some(old) => is_news(old, new),
        None => new.status != ConditionStatus::True,
    };
    told.then(|| event(new))
}

fn is_news<T>(old: &Condition<T>, new: &Condition<T>) -> bool {
    let is_same = (old.status, &old.reason) == (new.status, &new.reason);
    let is_fine = new.status == ConditionStatus::True;
    !is_same || (!is_fine && old.message != new.message)
}

/// The Event about why an object is not ready; `None` if it is, or if that is not known or wanted.
#[must_use]
pub fn not_ready_event<T>(conditions: &[Condition<T>]) -> Option<ConditionEvent<'_>> {
    let event = event(of_kind(READY, conditions)?);
    event.is_warning.then_some(event)
}

fn event<T>(condition: &Condition<T>) -> ConditionEvent<'_> {
    let is_success = condition.status == ConditionStatus::True && condition.reason == SUCCEEDED;
    ConditionEvent {
        is_warning: condition.status == ConditionStatus::False && condition.reason != SUSPENDED,
        reason: if is_success {
            "Ready"
        } else {
            &condition.reason
        },
        message: &condition.message,
    }
}

fn of_kind<'a, T>(kind: &str, conditions: &'a [Condition<T>]) -> Option<&'a Condition<T>> {
    conditions.iter().find(|condition| condition.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::ConditionStatus::{False, True, Unknown};
    use super::*;

    fn conditions(status: ConditionStatus, reason: &str, message: &str) -> [Condition<()>; 2] {
        let condition = |kind: &str, status, reason: &str| Condition {
            kind: kind.into(),
            status,
            reason: reason.into(),
            message: message.into(),
            observed_generation: Some(1),
            last_transition_time: (),
        };
        [
            condition("Other", False, "Other"),
            condition(READY, status, reason),
        ]
    }

    #[test]
    fn only_news_of_ready_are_an_event() {
        let table = [
            ((True, SUCCEEDED, "a"), (True, SUCCEEDED, "a"), false),
            ((True, SUCCEEDED, "a"), (True, SUCCEEDED, "b"), false),
            ((True, SUCCEEDED, "a"), (True, "Other", "a"), true),
            ((True, SUCCEEDED, "a"), (False, SUCCEEDED, "a"), true),
            ((False, "Stalled", "a"), (False, "Stalled", "a"), false),
            ((False, "Stalled", "a"), (False, "Stalled", "b"), true),
            ((False, "Stalled", "a"), (False, "Other", "a"), true),
            ((Unknown, "P", "a"), (Unknown, "P", "b"), true),
            ((False, "Stalled", "a"), (True, SUCCEEDED, "a"), true),
        ];
        for (old, new, is_event) in table {
            let after = conditions(new.0, new.1, new.2);
            let event = ready_event(&conditions(old.0, old.1, old.2), &after);
            assert_eq!(event.is_some(), is_event, "{old:?} {new:?}");
            assert!(ready_event(&[], &after).is_some(), "the first");
        }
        assert_eq!(ready_event::<()>(&[], &[]), None);
    }

    #[test]
    fn a_part_is_told_of_when_it_fails_and_when_it_is_mended() {
        let part = |status, message: &str| {
            let [mut part, _] = conditions(status, "Word", message);
            (part.status, part.message) = (status, message.into());
            [part]
        };
        let told = |before: &[Condition<()>], after: &[Condition<()>]| {
            condition_event("Other", before, after).map(|event| event.is_warning)
        };
        let (fine, missing) = (part(True, "all"), part(False, "one is missing"));
        assert_eq!(told(&[], &fine), None, "it begins well");
        assert_eq!(told(&[], &missing), Some(true));
        assert_eq!(told(&fine, &missing), Some(true));
        assert_eq!(told(&missing, &missing), None);
        assert_eq!(told(&missing, &part(False, "two are")), Some(true));
        assert_eq!(told(&missing, &fine), Some(false));
        assert_eq!(told(&missing, &[]), None, "nothing is asked any more");
    }

    #[test]
    fn a_warning_is_what_a_person_did_not_ask_for() {
        let table = [
            ((True, SUCCEEDED), "Ready", false),
            ((True, "Other"), "Other", false),
            ((False, "Stalled"), "Stalled", true),
            ((False, SUCCEEDED), SUCCEEDED, true),
            ((False, SUSPENDED), SUSPENDED, false),
            ((Unknown, "Progressing"), "Progressing", false),
        ];
        for ((status, reason), shown, is_warning) in table {
            let conditions = conditions(status, reason, "why");
            let expected = ConditionEvent {
                is_warning,
                reason: shown,
                message: "why",
            };
            let event = ready_event(&[], &conditions);
            assert_eq!(event.as_ref(), Some(&expected));
            let not_ready = not_ready_event(&conditions);
            assert_eq!(not_ready, is_warning.then_some(expected));
        }
        assert_eq!(not_ready_event::<()>(&[]), None);
    }
}
