//! The rules for the fields of a class.

use super::spec::Class;
use super::violation::{FixedBy, Violation};
use crate::role::Role;

/// The fields of a class that break a rule which its schema cannot express; empty when none does.
#[must_use]
pub fn check_class(class: &Class) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |field: String, value: &str, why: &str| {
        found.push(Violation {
            field,
            value: value.to_owned(),
            why: why.to_owned(),
            fixed_by: FixedBy::Author,
        });
    };
    for (index, limit) in class.limits.access.iter().enumerate() {
        let role = Role::parse(&limit.role);
        let name = role.built_in_name().unwrap_or_default();
        if role.is_privileged() && !limit.role.trim().eq_ignore_ascii_case(name) {
            let why = format!("is {name}, which must be written by name to be allowed");
            wrong(
                format!("spec.limits.access[{index}].role"),
                &limit.role,
                &why,
            );
        }
        for (at, scope) in limit.scopes.iter().enumerate() {
            if scope.subscription().is_none() || !scope.is_plain() {
                let field = format!("spec.limits.access[{index}].scopes[{at}]");
                wrong(
                    field,
                    scope.as_str(),
                    "is not an ARM id that starts with /subscriptions/…",
                );
            }
        }
    }
    for (index, group) in class.limits.identity_groups.iter().enumerate() {
        if group.resource_group().is_none() || !group.is_plain() {
            let field = format!("spec.limits.identityGroups[{index}]");
            wrong(
                field,
                group.as_str(),
                "is not /subscriptions/…/resourceGroups/…",
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::ArmId;
    use crate::class::AccessLimit;
    use crate::profile::admit::tests::class;

    fn fields(class: &Class) -> Vec<String> {
        let found = check_class(class).into_iter();
        found.map(|violation| violation.field).collect()
    }

    fn fields_for_scope(scope: &str) -> Vec<String> {
        let mut class = class();
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
            let expected = ["spec.limits.access[0].scopes[0]"];
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
