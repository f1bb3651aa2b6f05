//! Conditions of role assignments (ABAC): under which the role of an assignment allows an action.
//!
//! What limits which roles may be granted is simulated: the actions that write and delete role
//! assignments, with the role and the principal of the assignment written or deleted. Source:
//! learn.microsoft.com/azure/role-based-access-control/conditions-format.

mod attempt;
mod error;
mod expression;
mod parser;
mod tokens;

pub(crate) use attempt::{Attempt, AttributesOfAssignment};
pub(crate) use error::ConditionError;

use expression::Expression;

/// The only version of conditions that Azure accepts, and what it takes an absent version for.
const VERSION: &str = "2.0";

/// A condition that has been understood.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    text: String,
    expression: Expression,
}

impl Condition {
    /// Reads `condition` and `conditionVersion` of a role assignment; none for one without a
    /// condition.
    pub(crate) fn read(
        text: Option<&str>,
        version: Option<&str>,
    ) -> Result<Option<Self>, ConditionError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if let Some(other) = version.filter(|version| *version != VERSION) {
            return Err(ConditionError::Malformed(format!("version {other}")));
        }
        Ok(Some(Self {
            text: text.to_owned(),
            expression: parser::parse(text)?,
        }))
    }

    /// The condition as it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The version of its format.
    pub(crate) fn version(&self) -> &'static str {
        VERSION
    }

    /// Whether it allows an attempt.
    pub(crate) fn allows(&self, attempt: &Attempt<'_>) -> bool {
        self.expression.holds(attempt)
    }
}

#[cfg(test)]
mod tests;
