//! Events that tell a person what happened to an object, in the moment it happens.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::runtime::events::{Event, EventType};
use podid_core::condition::{ConditionEvent, condition_event, ready_event};
use podid_core::profile::plan::Retained;
use podid_core::uninstall::LeftInAzure;
use podid_index::events::EventWriter;

use crate::conditions::from_kubernetes;

/// Says what is new about an object's `Ready`.
pub(crate) fn transition(
    writer: &EventWriter,
    object: &ObjectReference,
    before: &[Condition],
    after: &[Condition],
) {
    if let Some(event) = ready_event(&core(before), &core(after)) {
        publish(writer, object, &event);
    }
}

/// Says what is new about a condition that is no part of an object's `Ready`.
pub(crate) fn condition_transition(
    writer: &EventWriter,
    object: &ObjectReference,
    kind: &str,
    before: &[Condition],
    after: &[Condition],
) {
    if let Some(event) = condition_event(kind, &core(before), &core(after)) {
        publish(writer, object, &event);
    }
}

fn core(conditions: &[Condition]) -> Vec<podid_core::condition::Condition<Time>> {
    conditions.iter().map(from_kubernetes).collect()
}

/// Says what a condition says.
pub(crate) fn publish(writer: &EventWriter, object: &ObjectReference, event: &ConditionEvent<'_>) {
    let type_ = match event.is_warning {
        true => EventType::Warning,
        false => EventType::Normal,
    };
    send(
        writer,
        object,
        type_,
        event.reason,
        event.message.to_owned(),
    );
}

/// Says what podid has done, given the steps in the past tense.
pub(crate) fn done(writer: &EventWriter, object: &ObjectReference, steps: &[String]) {
    if steps.is_empty() {
        return;
    }
    let note = format!("podid {}", steps.join("; "));
    send(writer, object, EventType::Normal, "Applied", note);
}

/// Says what stays in Azure of a profile that is gone.
pub(crate) fn retained(writer: &EventWriter, object: &ObjectReference, retained: &Retained) {
    let note = retained.to_string();
    send(writer, object, EventType::Normal, "IdentityRetained", note);
}

/// Says what stays in Azure of a profile whose finalizer was taken off.
pub(crate) fn released(writer: &EventWriter, object: &ObjectReference, left: &LeftInAzure) {
    let type_ = match left.is_abandoned() {
        true => EventType::Warning,
        false => EventType::Normal,
    };
    send(writer, object, type_, "Released", left.to_string());
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
