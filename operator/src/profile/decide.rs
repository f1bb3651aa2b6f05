//! Everything about a profile that can be decided without a call.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use podid_core::class::Violation;
use podid_core::condition::ReconcileOutcome;
use podid_core::profile::admit;
use podid_core::profile::desired::Desired;
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::Context;
use crate::class::{self, Usability};
use crate::conditions::ready_at;

/// What is to be done about a profile.
#[derive(Debug)]
pub(super) enum Decision {
    /// Work for this.
    Pursue(Box<Desired>),
    /// Nothing but to say so.
    Say(ReconcileOutcome),
    /// Nothing while its author has suspended it.
    Suspended,
    /// Nothing at all: what its status says is all that is known.
    Keep,
}

/// Decides without a call.
pub(super) fn decide(profile: &PodIdentityProfile, context: &Context) -> Decision {
    let spec = &profile.spec;
    if spec.suspend == Some(true) {
        return Decision::Suspended;
    }
    if let Some(Err(message)) = spec.interval.as_deref().map(interval) {
        return Decision::Say(ReconcileOutcome::Stalled {
            reason: "InvalidSpec".to_owned(),
            message,
        });
    }
    let waiting = |message| Decision::Say(ReconcileOutcome::Waiting { message });
    let Some(class) = context.classes.get(&ObjectRef::new(&spec.class_name)) else {
        let name = &spec.class_name;
        return waiting(format!(
            "PodIdentityClass {name} does not exist; create it, or correct spec.className"
        ));
    };
    let facts = convert::class(&class);
    let name = &facts.name;
    if let Some(problem) = context.facts.problems(&facts).first() {
        return waiting(format!("PodIdentityClass {name} cannot be used: {problem}"));
    }
    match class::usability(&class) {
        Usability::Usable => {}
        Usability::Unusable(why) => {
            return waiting(format!("PodIdentityClass {name} cannot be used: {why}"));
        }
        // The class tells when it is known, and until then nothing new is to be said of a profile
        // that was looked at under it as it was before.
        Usability::Unknown if speaks(profile) => return Decision::Keep,
        Usability::Unknown => {
            let message = format!("waiting until PodIdentityClass {name} is compared with Azure");
            return Decision::Say(ReconcileOutcome::Progressing { message });
        }
    }
    let namespace = profile.namespace().unwrap_or_default();
    let labels = context.namespaces.get(&ObjectRef::new(&namespace));
    let labels = labels
        .and_then(|namespace| namespace.metadata.labels.clone())
        .unwrap_or_default();
    match admit::admit(&convert::profile(profile, labels), &facts) {
        Ok(desired) => Decision::Pursue(Box::new(desired)),
        Err(violations) => Decision::Say(stalled(&violations)),
    }
}

/// Whether the status speaks of the profile as it is written now.
fn speaks(profile: &PodIdentityProfile) -> bool {
    let status = profile.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    ready_at(profile.meta().generation, conditions).is_some()
}

fn stalled(violations: &[Violation]) -> ReconcileOutcome {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    ReconcileOutcome::Stalled {
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
