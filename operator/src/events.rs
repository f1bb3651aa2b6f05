//! Events that tell a person what happened to an object, in the moment it happens.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder};
use podid_core::condition::{READY, SUCCEEDED, SUSPENDED};
use podid_runtime::text::cut;

/// Longest note that the API server takes, in bytes.
pub(crate) const NOTE_MAX: usize = 1024;

/// Says that an object's `Ready` has another status, reason or message than before.
pub(crate) async fn transition(
    recorder: &Recorder,
    object: &ObjectReference,
    before: &[Condition],
    after: &[Condition],
) {
    let (Some(old), Some(new)) = (ready(before), ready(after)) else {
        if let Some(new) = ready(after) {
            publish(recorder, object, new).await;
        }
        return;
    };
    let repeated =
        (&old.status, &old.reason, &old.message) == (&new.status, &new.reason, &new.message);
    let still_fine = old.status == "True" && new.status == "True" && old.reason == new.reason;
    if !repeated && !still_fine {
        publish(recorder, object, new).await;
    }
}

/// What an object's `Ready` complains of, if it does.
pub(crate) fn complaint(conditions: &[Condition]) -> Option<&str> {
    let ready = ready(conditions)?;
    is_warning(ready).then_some(ready.message.as_str())
}

/// Says once more why an object is not ready.
pub(crate) async fn remind(
    recorder: &Recorder,
    object: &ObjectReference,
    conditions: &[Condition],
) {
    if let Some(ready) = ready(conditions).filter(|ready| is_warning(ready)) {
        publish(recorder, object, ready).await;
    }
}

fn is_warning(ready: &Condition) -> bool {
    ready.status == "False" && ready.reason != SUSPENDED
}

/// Says what was done.
pub(crate) async fn done(recorder: &Recorder, object: &ObjectReference, steps: &[String]) {
    if steps.is_empty() {
        return;
    }
    send(
        recorder,
        object,
        EventType::Normal,
        "Applied",
        steps.join("; "),
    )
    .await;
}

async fn publish(recorder: &Recorder, object: &ObjectReference, ready: &Condition) {
    let type_ = match is_warning(ready) {
        true => EventType::Warning,
        false => EventType::Normal,
    };
    let reason = if ready.status == "True" && ready.reason == SUCCEEDED {
        "Ready"
    } else {
        &ready.reason
    };
    send(recorder, object, type_, reason, ready.message.clone()).await;
}

async fn send(
    recorder: &Recorder,
    object: &ObjectReference,
    type_: EventType,
    reason: &str,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(shortened(note)),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    if let Err(error) = recorder.publish(&event, object).await {
        // An Event is a courtesy; its loss must not hold up the work.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            reason,
            "event not recorded"
        );
    }
}

fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == READY)
}

/// As much of a note as the API server takes. Of several causes each keeps its beginning, where it
/// says what to do.
pub(crate) fn shortened(note: String) -> String {
    const BETWEEN: &str = " | ";
    if note.len() <= NOTE_MAX {
        return note;
    }
    let parts: Vec<&str> = note.split(BETWEEN).collect();
    let mut left = NOTE_MAX.saturating_sub(BETWEEN.len() * (parts.len() - 1));
    let mut shortest_first: Vec<usize> = (0..parts.len()).collect();
    shortest_first.sort_by_key(|&part| parts[part].len());
    let mut cut_parts = vec![String::new(); parts.len()];
    for (done, &part) in shortest_first.iter().enumerate() {
        let text = cut(parts[part], left / (parts.len() - done));
        left -= text.len().min(left);
        cut_parts[part] = text;
    }
    // So many causes that not even their separators fit are cut like one.
    cut(&cut_parts.join(BETWEEN), NOTE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_within_what_the_api_server_takes() {
        assert_eq!(shortened("short".to_owned()), "short");
        let long = shortened("ä".repeat(NOTE_MAX));
        assert!(long.len() <= NOTE_MAX && long.ends_with('…'));
        assert!(
            long.len() > NOTE_MAX - 4,
            "as much as is taken: {}",
            long.len()
        );
    }

    #[test]
    fn of_several_causes_each_keeps_its_remedy() {
        let cause = |remedy: &str, why: usize| format!("{remedy}. {}", "why ".repeat(why));
        let causes = [
            cause("grant it", 400),
            "correct it".to_owned(),
            cause("remove it", 300),
        ];
        let note = shortened(causes.join(" | "));
        assert!(note.len() <= NOTE_MAX, "{}", note.len());
        assert!(
            note.len() > NOTE_MAX - 100,
            "short ones leave room: {}",
            note.len()
        );
        let parts: Vec<&str> = note.split(" | ").collect();
        assert_eq!(parts.len(), 3, "{note}");
        for (part, remedy) in parts
            .iter()
            .zip(["grant it. ", "correct it", "remove it. "])
        {
            assert!(part.starts_with(remedy), "{note}");
        }
        let many = vec![cause("x", 10); 400].join(" | ");
        assert!(shortened(many).len() <= NOTE_MAX);
    }
}
