//! Who may have an identity whose tags do not say whose it is.
//!
//! The tags of one that podid did not make name nobody, and a class lets all its namespaces adopt what lies in its groups.
//! So the namespace whose profile adopted an identity first, or whose AzureIdentity serves it, keeps it for itself:
//! otherwise any other team would have its tokens by one line of YAML. Whoever wants one identity in several namespaces
//! says so in the class (`limits.allowSharedAdoption`). One that is yet to be made has no tags either, and Azure may take
//! a while to show them: of two profiles that name it, one makes it.

use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::object_key::ObjectKey;

/// How a profile comes to an identity whose tags do not say that it is the profile's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// It exists, and podid did not make it.
    Adopts,
    /// It does not exist.
    Creates,
}

/// What uses an identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum IdentityUser {
    /// A profile with the identity in its status, or about to have it.
    Profile(ObjectKey),
    /// An AzureIdentity that a person wrote.
    AzureIdentity(ObjectKey),
}

impl IdentityUser {
    fn keeps_from(&self, own: &ObjectKey, taking: Taking) -> bool {
        match (taking, self) {
            (Taking::Adopts, Self::Profile(key) | Self::AzureIdentity(key)) => {
                key.namespace != own.namespace
            }
            (Taking::Creates, Self::Profile(key)) => key != own,
            // It serves nothing while there is no such identity, and none that a profile made.
            (Taking::Creates, Self::AzureIdentity(_)) => false,
        }
    }
}

impl fmt::Display for IdentityUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(key) => write!(f, "profile {key}"),
            Self::AzureIdentity(key) => write!(f, "the hand-written AzureIdentity {key}"),
        }
    }
}

/// Who keeps the profile `own` from this identity; `None` when it may take it. `recorded` is the identity in the status of
/// `own`: what it has, it keeps.
#[must_use]
pub fn taken_by(
    id: &ArmId,
    own: &ObjectKey,
    taking: Taking,
    recorded: Option<&ArmId>,
    users: impl IntoIterator<Item = (IdentityUser, ArmId)>,
) -> Option<IdentityUser> {
    if recorded == Some(id) {
        return None;
    }
    let others = users
        .into_iter()
        .filter(|(user, used)| used == id && user.keeps_from(own, taking));
    others.map(|(user, _)| user).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    fn own() -> ObjectKey {
        ObjectKey::new("shop", "cart")
    }

    fn profile(namespace: &str, name: &str) -> IdentityUser {
        IdentityUser::Profile(ObjectKey::new(namespace, name))
    }

    fn taken(taking: Taking, recorded: Option<&str>, user: IdentityUser) -> bool {
        let (recorded, users) = (recorded.map(id), [(user, id("a"))]);
        taken_by(&id("a"), &own(), taking, recorded.as_ref(), users).is_some()
    }

    #[test]
    fn an_identity_belongs_to_the_namespace_that_has_it() {
        let by = |users: &[(IdentityUser, ArmId)]| {
            taken_by(
                &id("a"),
                &own(),
                Taking::Adopts,
                None,
                users.iter().cloned(),
            )
        };
        assert_eq!(by(&[]), None);
        let others = [
            (profile("shop", "p"), id("a")),
            (profile("blog", "p"), id("b")),
        ];
        assert_eq!(by(&others), None);
        let theirs = [
            (profile("news", "p"), id("A")),
            (profile("blog", "p"), id("a")),
        ];
        assert_eq!(by(&theirs), Some(profile("blog", "p")));
        assert!(taken(Taking::Adopts, Some("b"), profile("blog", "p")));
        assert!(!taken(Taking::Adopts, Some("A"), profile("blog", "p")));
    }

    #[test]
    fn what_serves_a_hand_written_object_is_adopted_in_its_namespace_only() {
        let object = |namespace| IdentityUser::AzureIdentity(ObjectKey::new(namespace, "legacy"));
        assert!(taken(Taking::Adopts, None, object("blog")));
        assert!(!taken(Taking::Adopts, None, object("shop")));
        assert!(!taken(Taking::Creates, None, object("blog")));
    }

    #[test]
    fn an_identity_is_made_for_one_profile_also_of_one_namespace() {
        for other in [profile("blog", "p"), profile("shop", "p")] {
            assert!(taken(Taking::Creates, None, other.clone()));
            assert!(!taken(Taking::Creates, Some("a"), other));
        }
        assert!(!taken(Taking::Creates, None, profile("shop", "cart")));
    }
}
