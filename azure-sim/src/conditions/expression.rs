//! A condition as a value, and whether it holds.

use uuid::Uuid;

use super::attempt::{Attempt, AttributesOfAssignment};
use crate::glob::glob;

/// A condition or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// `AND`
    All(Vec<Expression>),
    /// `OR`
    Any(Vec<Expression>),
    /// `ActionMatches{'…'}`
    ActionMatches(String),
    /// `!(ActionMatches{'…'})`
    ActionDiffers(String),
    /// An attribute with values.
    Compare(Comparison),
}

/// An attribute that must have one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) source: Source,
    pub(super) attribute: Attribute,
    pub(super) values: Values,
}

/// Whose attribute it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Request,
    Resource,
}

/// An attribute of `Microsoft.Authorization/roleAssignments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    RoleDefinitionId,
    PrincipalId,
    PrincipalType,
}

/// The values of an operator `ForAnyOfAnyValues:…`, each in its own way of comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// `GuidEquals`
    Guids(Vec<Uuid>),
    /// `StringEquals`
    Exactly(Vec<String>),
    /// `StringEqualsIgnoreCase`
    InAnyCase(Vec<String>),
}

impl Expression {
    pub(super) fn holds(&self, attempt: &Attempt<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(attempt)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(attempt)),
            Self::ActionMatches(pattern) => glob(pattern, attempt.action),
            Self::ActionDiffers(pattern) => !glob(pattern, attempt.action),
            Self::Compare(comparison) => comparison.holds(attempt),
        }
    }
}

impl Comparison {
    /// An attribute that is not there has no value of the list.
    fn holds(&self, attempt: &Attempt<'_>) -> bool {
        let assignment = match self.source {
            Source::Request => attempt.request,
            Source::Resource => attempt.resource,
        };
        assignment.is_some_and(|found| self.values.contain(self.attribute.of(found)))
    }
}

impl Attribute {
    fn of(self, assignment: &AttributesOfAssignment) -> &str {
        match self {
            Self::RoleDefinitionId => &assignment.role,
            Self::PrincipalId => &assignment.principal_id,
            Self::PrincipalType => &assignment.principal_type,
        }
    }
}

impl Values {
    fn contain(&self, found: &str) -> bool {
        match self {
            Self::Guids(values) => {
                Uuid::parse_str(found).is_ok_and(|found| values.contains(&found))
            }
            Self::Exactly(values) => values.iter().any(|value| value == found),
            Self::InAnyCase(values) => values.iter().any(|value| value.eq_ignore_ascii_case(found)),
        }
    }
}
