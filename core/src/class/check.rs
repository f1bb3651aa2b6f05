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
