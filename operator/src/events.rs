//! Events that tell a person what happened to an object, in the moment it happens.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};
use podid_core::condition::{READY, SUCCEEDED, SUSPENDED};
use podid_index::events::EventWriter;

/// Says that an object's `Ready` has another status, reason or message than before.
pub(crate) fn transition(
    writer: &EventWriter,
    object: &ObjectReference,
    before: &[Condition],
    after: &[Condition],
) {
    let (Some(old), Some(new)) = (ready(before), ready(after)) else {
        if let Some(new) = ready(after) {
            publish(writer, object, new);
        }
        return;
    };
    let repeated =
        (&old.status, &old.reason, &old.message) == (&new.status, &new.reason, &new.message);
    let still_fine = old.status == "True" && new.status == "True" && old.reason == new.reason;
    if !repeated && !still_fine {
        publish(writer, object, new);
    }
}

/// What an object's `Ready` complains of, if it does.
pub(crate) fn complaint(conditions: &[Condition]) -> Option<&str> {
    let ready = ready(conditions)?;
    is_warning(ready).then_some(ready.message.as_str())
}

/// Says once more why an object is not ready.
pub(crate) fn remind(writer: &EventWriter, object: &ObjectReference, conditions: &[Condition]) {
    if let Some(ready) = ready(conditions).filter(|ready| is_warning(ready)) {
        publish(writer, object, ready);
    }
}

fn is_warning(ready: &Condition) -> bool {
    ready.status == "False" && ready.reason != SUSPENDED
}

/// Says what podid has done, given the steps in the past tense.
pub(crate) fn done(writer: &EventWriter, object: &ObjectReference, steps: &[String]) {
    if steps.is_empty() {
        return;
    }
    let note = format!("podid {}", steps.join("; "));
    send(writer, object, EventType::Normal, "Applied", note);
}

fn publish(writer: &EventWriter, object: &ObjectReference, ready: &Condition) {
    let type_ = match is_warning(ready) {
        true => EventType::Warning,
        false => EventType::Normal,
    };
    let reason = if ready.status == "True" && ready.reason == SUCCEEDED {
        "Ready"
    } else {
        &ready.reason
    };
    send(writer, object, type_, reason, ready.message.clone());
}

fn send(
    writer: &EventWriter,
    object: &ObjectReference,
    type_: EventType,
    reason: &str,
    note: String,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    writer.write(event, object.clone());
}

fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == READY)
}
