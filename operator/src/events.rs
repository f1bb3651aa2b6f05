//! Events that tell a person what happened to an object, in the moment it happens.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder};
use podid_core::condition::{READY, SUCCEEDED, SUSPENDED};
use podid_index::events::shortened;

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
        note: Some(shortened(&note)),
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
