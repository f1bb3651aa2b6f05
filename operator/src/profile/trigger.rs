//! The changes after which a profile is reconciled.

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::PredicateConfig;
use kube::runtime::{Predicate, WatchStreamExt, predicates};
use podid_core::profile::plan::is_kept_by_another;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_index::watch::Watch;

use crate::conditions;
use crate::trigger::{Trigger, hash, is_there, touched, uid};

/// Profiles whose spec, annotations or finalizers changed, or that are being deleted. A change of
/// status alone is our own doing.
pub(super) fn profiles(
    watch: &Watch<PodIdentityProfile>,
) -> impl Stream<Item = Trigger<PodIdentityProfile>> + Send + 'static {
    let of_note = predicates::generation
        .combine(predicates::annotations)
        .combine(predicates::finalizers)
        .combine(uid);
    touched(watch).predicate_filter(of_note, PredicateConfig::default())
}

/// Classes whose spec changed, that came or went, or of which something new is known.
pub(super) fn usable_classes(
    watch: &Watch<PodIdentityClass>,
) -> impl Stream<Item = Trigger<PodIdentityClass>> + Send + 'static {
    let of_note = predicates::generation
        .combine(uid)
        .combine(is_there(watch))
        .combine(usability);
    touched(watch).predicate_filter(of_note, PredicateConfig::default())
}

/// Namespaces whose labels changed.
pub(super) fn namespaces(
    watch: &Watch<PartialObjectMeta<Namespace>>,
) -> impl Stream<Item = Trigger<PartialObjectMeta<Namespace>>> + Send + 'static {
    touched(watch).predicate_filter(predicates::labels.combine(uid), PredicateConfig::default())
}

/// The profiles of a class.
pub(super) fn of_class(
    profiles: &Store<PodIdentityProfile>,
) -> impl Fn(PodIdentityClass) -> Vec<ObjectRef<PodIdentityProfile>> + Send + Sync + 'static {
    let profiles = profiles.clone();
    move |class| {
        let name = class.name_any();
        select(&profiles, |profile| profile.spec.class_name == name)
    }
}

/// The profiles of a namespace.
pub(super) fn of_namespace(
    profiles: &Store<PodIdentityProfile>,
) -> impl Fn(PartialObjectMeta<Namespace>) -> Vec<ObjectRef<PodIdentityProfile>> + Send + Sync + 'static
{
    let profiles = profiles.clone();
    move |namespace| {
        let name = Some(namespace.name_any());
        select(&profiles, |profile| profile.metadata.namespace == name)
    }
}

/// Profiles that are gone.
pub(super) fn gone_profiles(
    watch: &Watch<PodIdentityProfile>,
) -> impl Stream<Item = Trigger<PodIdentityProfile>> + Send + 'static {
    let store = watch.store();
    touched(watch).try_filter(move |profile| {
        let is_gone = store.get(&ObjectRef::from_obj(profile)).is_none();
        std::future::ready(is_gone)
    })
}

/// The profiles that another one keeps from their identity: it may be the one that is gone.
pub(super) fn kept_from_identity(
    profiles: &Store<PodIdentityProfile>,
) -> impl Fn(PodIdentityProfile) -> Vec<ObjectRef<PodIdentityProfile>> + Send + Sync + 'static {
    let profiles = profiles.clone();
    move |_gone| {
        select(&profiles, |profile| {
            let ready = conditions::ready_of_profile(profile);
            ready.is_some_and(|ready| is_kept_by_another(&ready.reason))
        })
    }
}

/// Profiles that fit.
pub(super) fn select(
    profiles: &Store<PodIdentityProfile>,
    fits: impl Fn(&PodIdentityProfile) -> bool,
) -> Vec<ObjectRef<PodIdentityProfile>> {
    let all = profiles.state();
    all.iter()
        .filter(|profile| fits(profile))
        .map(|p| ObjectRef::from_obj(p.as_ref()))
        .collect()
}

/// What is known of a class.
fn usability(class: &PodIdentityClass) -> Option<u64> {
    Some(hash(&conditions::usability(class)))
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;

    fn profile(name: &str, reason: &str) -> PodIdentityProfile {
        let ready = json!({
            "type": "Ready", "status": "False", "reason": reason, "message": "m",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "ns", "generation": 1 },
            "spec": { "className": "c" },
            "status": { "conditions": [ready] },
        }))
        .expect("a profile")
    }

    #[test]
    fn only_those_whom_another_kept_from_their_identity_may_get_it_when_one_is_gone() {
        let mut profiles = Writer::default();
        for (name, reason) in [
            ("owned", "IdentityOwnedByAnother"),
            ("adopted", "IdentityAdoptedByAnother"),
            ("exists", "IdentityExists"),
            ("ready", "Succeeded"),
        ] {
            profiles.apply_watcher_event(&Event::Apply(profile(name, reason)));
        }
        let waiting = kept_from_identity(&profiles.as_reader());
        let mut names: Vec<String> = waiting(profile("gone", "R"))
            .into_iter()
            .map(|waits| waits.name)
            .collect();
        names.sort();
        assert_eq!(names, ["adopted", "owned"]);
    }
}
