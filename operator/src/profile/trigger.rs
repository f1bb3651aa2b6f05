//! The changes after which a profile is reconciled.

use futures::Stream;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::PredicateConfig;
use kube::runtime::{Predicate, WatchStreamExt, predicates};
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
