//! Roles of the kubelet identity that serve all profiles of a class, and go with the last of these.

use crate::class::Class;
use crate::profile::admit::shared_grants;
use crate::profile::desired::{Grant, Grantee};

/// The roles that `class` grants for all its profiles and that none of the `others` needs: the classes of all profiles
/// that are left, `None` for one that is missing. What that grants is not known, so nothing is unneeded beside it.
#[must_use]
pub fn unneeded_roles(class: &Class, others: &[Option<Class>]) -> Vec<Grant> {
    if others.iter().any(Option::is_none) {
        return Vec::new();
    }
    let needed: Vec<Grant> = others.iter().flatten().flat_map(shared_grants).collect();
    let mut grants = shared_grants(class);
    grants.retain(|grant| !needed.iter().any(|other| is_same(grant, other)));
    grants
}

fn is_same(one: &Grant, other: &Grant) -> bool {
    let has_same_principal = match (&one.to, &other.to) {
        (Grantee::Kubelet(one), Grantee::Kubelet(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    };
    has_same_principal && one.role.is(&other.role) && one.scope == other.scope
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::{IdentityOperatorGrant, MachineContributorGrant};
    use crate::profile::admit::tests::class;

    fn scopes(grants: &[Grant]) -> Vec<&str> {
        grants.iter().map(|grant| grant.scope.name()).collect()
    }

    fn granting(change: impl FnOnce(&mut crate::class::NodeGrants)) -> Class {
        let mut class = class();
        change(class.node_grants.as_mut().expect("it grants"));
        class
    }

    #[test]
    fn a_role_is_unneeded_once_no_profile_of_any_class_with_the_same_is_left() {
        let whole = granting(|it| it.identity_operator = IdentityOperatorGrant::ResourceGroup);
        assert_eq!(
            scopes(&unneeded_roles(&whole, &[])),
            ["identities", "nodes"]
        );
        assert_eq!(unneeded_roles(&whole, &[Some(whole.clone())]), []);
        // Another class in which only one of the two is the same.
        assert_eq!(
            scopes(&unneeded_roles(&whole, &[Some(class())])),
            ["identities"]
        );
        let widest = granting(|it| it.identity_operator = IdentityOperatorGrant::Subscription);
        assert_eq!(
            scopes(&unneeded_roles(&widest, &[Some(whole.clone())])),
            ["s"]
        );
        let other_case = granting(|it| it.principal_id = "MACHINES".into());
        assert_eq!(unneeded_roles(&class(), &[Some(other_case)]), []);
        let other = granting(|it| it.principal_id = "other".into());
        assert_eq!(scopes(&unneeded_roles(&class(), &[Some(other)])), ["nodes"]);
        assert_eq!(
            unneeded_roles(&whole, &[None]),
            [],
            "a class that is missing"
        );
    }

    #[test]
    fn a_class_that_grants_nothing_for_all_leaves_nothing() {
        let none = granting(|it| it.machine_contributor = MachineContributorGrant::None);
        assert_eq!(unneeded_roles(&none, &[]), []);
    }
}
