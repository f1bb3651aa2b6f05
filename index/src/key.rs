use kube::{Resource, ResourceExt};
pub use podid_core::object_key::ObjectKey;

/// The key of an object; parts that it lacks are empty.
#[must_use]
pub fn key_of(object: &impl Resource) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}
