//! No profile beyond its limits is admitted, over random profiles and classes.

use super::*;

proptest! {
    /// Whatever is asked for, an admitted grant of the identity lies within a listed limit.
    #[test]
    fn nothing_beyond_the_limits_is_admitted(
        asked in prop::collection::vec(("Key Vault Secrets User|Owner|Reader|x", "[nm]|/subscriptions/[st](/resourceGroups/[ab]{1,2})?"), 0..4),
        named in prop::option::of("/subscriptions/[st](/resourceGroups/[ab]{1,2})?"),
        listed in prop::collection::vec(("Key Vault Secrets User|Owner|Reader|x", "/subscriptions/[st](/resourceGroups/[ab]{1,2})?"), 0..4),
    ) {
        let profile = Profile {
            access: asked.iter().map(|(role, scope)| access(role, scope)).collect(),
            ..profile()
        };
        let limits = Limits {
            access: listed.iter().map(|(role, scope)| limit(role, scope)).collect(),
            ..class().limits
        };
        let scopes = named.iter().map(|id| super::scopes::named("n", id)).collect();
        let class = Class { limits, scopes, ..class() };
        let allowed = |role: &Role, scope: &ArmId| class.limits.access.iter().any(|limit| {
            Role::parse(&limit.role).is(role) && limit.scopes.iter().any(|over| over.covers(scope))
        });
        match admit(&profile, &class) {
            Ok(desired) => for grant in &desired.grants {
                if grant.to == Grantee::Identity {
                    prop_assert!(allowed(&grant.role, &grant.scope));
                }
            },
            Err(violations) => {
                prop_assert!(!violations.is_empty());
                let beyond = |asked: &Access| {
                    let scope = class.scope_id(&asked.scope);
                    scope.is_none_or(|scope| !allowed(&Role::parse(&asked.role), scope))
                };
                prop_assert!(profile.access.iter().any(beyond));
            }
        }
    }
}
