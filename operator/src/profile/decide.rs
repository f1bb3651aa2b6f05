//! Everything about a profile that can be decided without a call.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use podid_core::admit::{self, Violation};
use podid_core::condition::Outcome;
use podid_core::desired::Desired;
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::Context;

/// What the profile wants, or how its reconciliation comes out without any work.
pub(super) fn decide(profile: &PodIdentityProfile, context: &Context) -> Result<Desired, Outcome> {
    let spec = &profile.spec;
    if spec.suspend == Some(true) {
        return Err(Outcome::Suspended);
    }
    if let Some(Err(message)) = spec.interval.as_deref().map(interval) {
        return Err(Outcome::Stalled {
            reason: "InvalidSpec".to_owned(),
            message,
        });
    }
    let waiting = |message| Err(Outcome::Waiting { message });
    let Some(class) = context.classes.get(&ObjectRef::new(&spec.class_name)) else {
        let name = &spec.class_name;
        return waiting(format!(
            "PodIdentityClass {name} does not exist; create it, or correct spec.className"
        ));
    };
    let facts = convert::class(&class);
    if let Some(problem) = context.facts.problems(&facts).first() {
        return waiting(format!(
            "PodIdentityClass {} cannot be used: {problem}",
            facts.name
        ));
    }
    let namespace = profile.namespace().unwrap_or_default();
    let labels = context.namespaces.get(&ObjectRef::new(&namespace));
    let labels = labels
        .and_then(|namespace| namespace.metadata.labels.clone())
        .unwrap_or_default();
    admit::admit(&convert::profile(profile, labels), &facts)
        .map_err(|violations| stalled(&violations))
}

fn stalled(violations: &[Violation]) -> Outcome {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    Outcome::Stalled {
        reason: "NotAllowedByClass".to_owned(),
        message: texts.join(" | "),
    }
}

/// Reads `spec.interval`, which the schema has checked where there is one.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed
        .and_then(|parsed| Duration::try_from(parsed).ok())
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| format!("spec.interval: {text:?} is not a duration; write for example 10m"))
}
