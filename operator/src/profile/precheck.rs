//! Gathers what a profile is checked against before anything is read.

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use podid_core::class::{Class, Usability};
use podid_core::profile::Profile;
use podid_core::profile::decide::{self, Precheck, PrecheckInput};
use podid_crds::convert;
use podid_crds::podid::PodIdentityProfile;

use super::ProfileContext;
use crate::conditions::{self, ready_of_profile};

/// Checks a profile before anything is read.
pub(super) fn precheck(profile: &PodIdentityProfile, context: &ProfileContext) -> Precheck {
    let name = &profile.spec.class_name;
    let class = context.classes.get(&ObjectRef::new(name));
    let usability = match &class {
        Some(class) => conditions::usability(class),
        None => Usability::Unknown,
    };
    decide::precheck(PrecheckInput {
        profile: &core_profile(profile, context),
        class: class.as_deref().map(convert::class).as_ref(),
        usability: &usability,
        operator: &context.operator,
        is_reported: is_reported(profile),
        record: &convert::record(profile),
    })
}

/// The profile, with the labels of its namespace, by which a class may admit it.
pub(super) fn core_profile(profile: &PodIdentityProfile, context: &ProfileContext) -> Profile {
    let namespace = ObjectRef::new(&profile.namespace().unwrap_or_default());
    let namespace = context.namespaces.get(&namespace);
    let labels = namespace.and_then(|namespace| namespace.metadata.labels.clone());
    convert::profile(profile, labels.unwrap_or_default())
}

/// The class that the profile names, if there is one.
pub(super) fn core_class(profile: &PodIdentityProfile, context: &ProfileContext) -> Option<Class> {
    class_named(&profile.spec.class_name, context)
}

/// The class of this name, if there is one.
pub(super) fn class_named(name: &str, context: &ProfileContext) -> Option<Class> {
    let class = context.classes.get(&ObjectRef::new(name));
    class.as_deref().map(convert::class)
}

/// Whether `Ready` is of the current generation.
fn is_reported(profile: &PodIdentityProfile) -> bool {
    ready_of_profile(profile).is_some()
}
