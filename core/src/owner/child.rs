//! Which profile an object of the cluster belongs to: an AzureIdentity or an AzureIdentityBinding.
//!
//! A profile's objects have its namespace and name, and an owner reference to it. There are two questions:
//!
//! - *Is it an object of a profile?* ([`origin`], [`profile_of`]), asked by all who read the objects. The name of
//!   the owner counts and not its uid: the node daemon may not read profiles, so it knows no uid. Anybody can
//!   write an owner reference, so the answer never suffices to use an identity; see `binding::verification`.
//! - *Is it an object of this very profile?* ([`is_controlled_by`]), asked before the object is written or
//!   deleted. The uid counts: an object that an earlier profile of the same name left, and that the API
//!   server is about to delete with its owner, is not this profile's.

use serde::Serialize;

use crate::object_key::ObjectKey;

/// API group of profiles.
const PROFILE_GROUP: &str = "podid.dev";
/// Kind of profiles.
const PROFILE_KIND: &str = "PodIdentityProfile";

/// Where an AzureIdentity or AzureIdentityBinding comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Origin {
    /// Somebody wrote it.
    #[default]
    HandWritten,
    /// A PodIdentityProfile of its namespace is its controlling owner.
    Profile,
}

/// An owner reference of an object, to its controlling owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerReference<'a> {
    /// `apiVersion` of the owner: group and version.
    pub api_version: &'a str,
    /// `kind` of the owner.
    pub kind: &'a str,
    /// Name of the owner, in the object's namespace.
    pub name: &'a str,
    /// Uid of the owner.
    pub uid: &'a str,
}

/// Where an object of this name comes from, by its owner references. A profile's objects have the profile's
/// name, so a reference to a profile of another name does not count. An object that has the name of the
/// profile it refers to is not left as somebody wrote it: the operator writes over it, and the API server
/// deletes objects whose owner does not exist.
#[must_use]
pub fn origin<'a>(
    name: &str,
    controllers: impl IntoIterator<Item = ControllerReference<'a>>,
) -> Origin {
    let is_profile = |owner: ControllerReference<'_>| {
        let group = owner.api_version.split_once('/').map(|(group, _)| group);
        owner.kind == PROFILE_KIND && group == Some(PROFILE_GROUP) && owner.name == name
    };
    match controllers.into_iter().any(is_profile) {
        true => Origin::Profile,
        false => Origin::HandWritten,
    }
}

/// The profile that an object with this origin, namespace and name belongs to; `None` when it was written by
/// hand.
#[must_use]
pub fn profile_of(origin: Origin, namespace: &str, name: &str) -> Option<ObjectKey> {
    (origin == Origin::Profile).then(|| ObjectKey::new(namespace, name))
}

/// Whether an object belongs to the profile with this uid, by its owner references; never if the profile has
/// no uid.
#[must_use]
pub fn is_controlled_by<'a>(
    uid: Option<&str>,
    controllers: impl IntoIterator<Item = ControllerReference<'a>>,
) -> bool {
    let mut controllers = controllers.into_iter();
    uid.is_some_and(|uid| controllers.any(|owner| owner.uid == uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: ControllerReference<'static> = ControllerReference {
        api_version: "podid.dev/v1alpha1",
        kind: "PodIdentityProfile",
        name: "web",
        uid: "u1",
    };

    /// The same reference, but for one field.
    fn others() -> [ControllerReference<'static>; 5] {
        [
            ControllerReference {
                api_version: "podid.device/v1",
                ..PROFILE
            },
            ControllerReference {
                api_version: "podid.dev",
                ..PROFILE
            },
            ControllerReference {
                api_version: "v1",
                ..PROFILE
            },
            ControllerReference {
                kind: "PodIdentityClass",
                ..PROFILE
            },
            ControllerReference {
                name: "cart",
                ..PROFILE
            },
        ]
    }

    #[test]
    fn an_object_is_a_profiles_by_a_reference_to_a_profile_of_its_name() {
        assert_eq!(origin("web", []), Origin::HandWritten);
        assert_eq!(origin("web", [PROFILE]), Origin::Profile);
        for other in others() {
            assert_eq!(origin("web", [other]), Origin::HandWritten, "{other:?}");
            assert_eq!(origin("web", [other, PROFILE]), Origin::Profile);
        }
        let profile = profile_of(Origin::Profile, "apps", "web");
        assert_eq!(profile, Some(ObjectKey::new("apps", "web")));
        assert_eq!(profile_of(Origin::HandWritten, "apps", "web"), None);
    }

    #[test]
    fn an_object_of_an_earlier_profile_of_the_name_is_not_this_ones() {
        assert!(is_controlled_by(Some("u1"), [PROFILE]));
        assert!(!is_controlled_by(Some("u2"), [PROFILE]));
        assert!(!is_controlled_by(Some("u1"), []));
        let no_uid = ControllerReference { uid: "", ..PROFILE };
        assert!(
            !is_controlled_by(None, [no_uid]),
            "nobody's is not anybody's"
        );
    }
}
