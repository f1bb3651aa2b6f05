//! The rules for the fields of a class.

use super::spec::{AccessLimit, Class};
use super::violation::{FixedBy, Violation};
use crate::arm::ArmId;
use crate::role::Role;

/// The fields of a class that break a rule which its schema cannot express; empty when none does.
#[must_use]
pub fn check_class(class: &Class) -> Vec<Violation> {
    let access = class.limits.access.iter().enumerate();
    let names = class.scopes.iter().enumerate();
    let groups = class.limits.identity_groups.iter().enumerate();
    let of_access = access.flat_map(|(index, limit)| {
        let field = format!("spec.limits.access[{index}]");
        let mut found = Vec::from_iter(check_role(&field, limit));
        found.extend(check_scopes(&field, limit));
        found
    });
    let of_names = names.filter_map(|(index, named)| {
        let field = format!("spec.scopes[{index}].id");
        check_scope(field, &named.id)
    });
    let of_groups = groups.filter_map(|(index, group)| {
        let field = format!("spec.limits.identityGroups[{index}]");
        let why = "is not /subscriptions/…/resourceGroups/…";
        let is_wrong = group.resource_group().is_none() || !group.is_plain();
        is_wrong.then(|| violation(field, group.as_str(), why))
    });
    of_names.chain(of_access).chain(of_groups).collect()
}

fn check_role(field: &str, limit: &AccessLimit) -> Option<Violation> {
    let role = Role::parse(&limit.role);
    let name = role.built_in_name().unwrap_or_default();
    let is_wrong = role.is_privileged() && !limit.role.trim().eq_ignore_ascii_case(name);
    is_wrong.then(|| {
        let why = format!("is {name}, which must be written by name to be allowed");
        violation(format!("{field}.role"), &limit.role, &why)
    })
}

fn check_scopes(field: &str, limit: &AccessLimit) -> impl Iterator<Item = Violation> {
    limit
        .scopes
        .iter()
        .enumerate()
        .filter_map(move |(at, scope)| check_scope(format!("{field}.scopes[{at}]"), scope))
}

fn check_scope(field: String, scope: &ArmId) -> Option<Violation> {
    let why = "is not an ARM id that starts with /subscriptions/…";
    let is_wrong = scope.subscription().is_none() || !scope.is_plain();
    is_wrong.then(|| violation(field, scope.as_str(), why))
}

fn violation(field: String, value: &str, why: &str) -> Violation {
    Violation {
        field,
        value: value.to_owned(),
        why: why.to_owned(),
        fixed_by: FixedBy::Author,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::{AccessLimit, NamedScope};
    use crate::profile::admit::tests::class;

    fn fields(class: &Class) -> Vec<String> {
        let found = check_class(class).into_iter();
        found.map(|violation| violation.field).collect()
    }

    fn fields_for_scope(scope: &str) -> Vec<String> {
        let mut class = class();
        class.scopes = vec![NamedScope {
            name: "vault".into(),
            id: ArmId::new(scope),
        }];
        class.limits.access = vec![AccessLimit {
            role: "Reader".into(),
            scopes: vec![ArmId::new(scope)],
        }];
        fields(&class)
    }

    #[test]
    fn a_scope_must_be_a_plain_id_in_a_subscription() {
        for odd in [
            "",
            "/providers/Microsoft.Management/managementGroups/g",
            "/subscriptions/s/../t",
        ] {
            let expected = ["spec.scopes[0].id", "spec.limits.access[0].scopes[0]"];
            assert_eq!(fields_for_scope(odd), expected, "{odd:?}");
        }
        assert!(fields_for_scope("/subscriptions/s").is_empty());
    }

    #[test]
    fn an_identity_group_must_be_a_plain_resource_group() {
        let of = |group: &str| {
            let mut class = class();
            class.limits.identity_groups = vec![ArmId::new(group)];
            fields(&class)
        };
        for odd in [
            "",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/a?b",
        ] {
            assert_eq!(of(odd), ["spec.limits.identityGroups[0]"], "{odd:?}");
        }
        assert!(of("/subscriptions/s/resourceGroups/g").is_empty());
    }

    #[test]
    fn a_role_that_gives_rights_must_be_listed_by_name() {
        let of = |role: &str| {
            let mut class = class();
            class.limits.access = vec![AccessLimit {
                role: role.into(),
                scopes: vec![ArmId::new("/subscriptions/s")],
            }];
            fields(&class)
        };
        let guid = Role::parse("Owner").id().map(|id| id.to_string());
        assert_eq!(
            of(&guid.expect("a built-in role")),
            ["spec.limits.access[0].role"]
        );
        assert!(of(" owner ").is_empty());
    }
}
