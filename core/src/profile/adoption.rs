//! Who may use an identity that podid did not make.
//!
//! Its tags name nobody, and a class lets all its namespaces adopt what lies in its groups. So the namespace whose
//! profile adopted an identity first keeps it for itself: otherwise any other team would have its tokens by one line of
//! YAML. Whoever wants one identity in several namespaces says so in the class (`limits.allowSharedAdoption`).

use crate::arm::ArmId;
use crate::object_key::ObjectKey;

/// The profile of another namespace that uses this identity; `None` when it is free for the profile `own`. `recorded` is
/// the identity in the status of `own`: what it has, it keeps. `users` are other profiles with the identity in their
/// status, or about to have it.
#[must_use]
pub fn adopted_by_another(
    id: &ArmId,
    own: &ObjectKey,
    recorded: Option<&ArmId>,
    users: impl IntoIterator<Item = (ObjectKey, ArmId)>,
) -> Option<ObjectKey> {
    if recorded == Some(id) {
        return None;
    }
    let others = users
        .into_iter()
        .filter(|(user, used)| used == id && user.namespace != own.namespace);
    others.map(|(user, _)| user).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn an_identity_belongs_to_the_namespace_that_has_it() {
        let own = ObjectKey::new("shop", "cart");
        let user = |namespace: &str, identity: &str| (ObjectKey::new(namespace, "p"), id(identity));
        let by = |recorded: Option<&ArmId>, users: &[(ObjectKey, ArmId)]| {
            adopted_by_another(&id("a"), &own, recorded, users.iter().cloned())
        };
        assert_eq!(by(None, &[]), None);
        assert_eq!(by(None, &[user("shop", "a"), user("blog", "b")]), None);
        let theirs = [user("news", "a"), user("blog", "a")];
        assert_eq!(by(None, &theirs), Some(ObjectKey::new("blog", "p")));
        assert_eq!(
            by(Some(&id("b")), &theirs),
            Some(ObjectKey::new("blog", "p"))
        );
        assert_eq!(by(Some(&id("A")), &theirs), None, "it has it already");
    }
}
