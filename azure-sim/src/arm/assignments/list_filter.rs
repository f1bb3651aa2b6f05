//! Which role assignments a list contains.

use crate::arm::error::Result;
use crate::arm::filter::{self, Term};
use crate::ids::{covers, normalize};
use crate::resources::Assignment;

/// The `$filter` of a list of role assignments.
pub(super) struct ListFilter {
    /// Whether assignments below the scope are included.
    below: bool,
    /// Object id of the only principal.
    principal: Option<String>,
}

impl ListFilter {
    pub(super) fn parse(text: Option<&str>) -> Result<Self> {
        let mut filter = Self {
            below: true,
            principal: None,
        };
        for term in filter::parse(text)? {
            match term {
                Term::Function(name, None) if name == "atscope" => filter.below = false,
                // Azure includes assignments to groups of the principal. This tenant has no groups.
                Term::Function(name, Some(id)) if name == "assignedto" => {
                    filter.principal = Some(id)
                }
                Term::Equals(name, id) if name == "principalid" => filter.principal = Some(id),
                Term::Function(name, _) | Term::Equals(name, _) => {
                    return Err(filter::refused(&name));
                }
            }
        }
        Ok(filter)
    }

    /// Whether the list at a normalized scope contains an assignment.
    pub(super) fn matches(&self, assignment: &Assignment, listed: &str) -> bool {
        let scope = normalize(&assignment.scope);
        (covers(&scope, listed) || (self.below && covers(listed, &scope)))
            && self
                .principal
                .as_ref()
                .is_none_or(|p| p.eq_ignore_ascii_case(&assignment.principal_id))
    }
}
