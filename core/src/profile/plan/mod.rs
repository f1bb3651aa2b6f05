//! The steps that make one profile's resources as desired, as a value that is printed, compared and carried
//! out.
//!
//! The order of the steps is the order in which they are safe: an identity before its rights,
//! roles before pods can use them, and in a deletion first the pods, then VMs and scale sets, then roles,
//! then the identity. The profile's AzureIdentity names an identity for as long as a VM or scale set has it
//! for the profile's pods, at last among its former ones: by that the node daemons keep it from pods with an
//! exception. After a plan is carried out, the next plan is empty.

mod children;
mod delete;
mod identity;
mod refusal;
mod release;
mod roles;
mod step;
mod withdraw;
mod writes;

use std::fmt;

use serde::Serialize;

pub use delete::{Deletion, DeletionScope, Retained, deletion_scope, plan_deletion, retained};
pub use identity::{made_for, taking};
pub use refusal::{PlanRefusal, is_kept_by_another};
pub use release::plan_release;
pub use roles::is_ours;
pub use step::{RoleGrant, Step, UsedBy};
pub use withdraw::plan_withdrawal;
pub use writes::{AzureWrites, azure_writes};

use crate::profile::desired::Desired;
use crate::profile::observed::{Observed, RecordedRoleAssignment};

/// Steps in the order in which they are to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// Role assignments that are wanted and exist already.
    pub held: Vec<RecordedRoleAssignment>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Every step as text.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        self.steps.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Plan {
    /// One step a line, numbered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing to do");
        }
        for (index, step) in self.steps.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{:>2}. {step}", index + 1)?;
        }
        Ok(())
    }
}

/// The steps that make `observed` as `desired`. For [`Observed::default`] these are all the steps of a new
/// profile.
///
/// # Errors
///
/// Every reason why nothing may be done before a person has decided; never an empty list.
pub fn plan(desired: &Desired, observed: &Observed) -> Result<Plan, Vec<PlanRefusal>> {
    let mut refusals = Vec::new();
    let mut steps = Vec::new();
    match identity::steps(desired, observed) {
        Ok(found) => steps.extend(found),
        Err(refusal) => refusals.push(refusal),
    }
    let roles = roles::steps(desired, observed);
    refusals.extend(roles.refusals);
    refusals.extend(children::refusals(&desired.owner, observed));
    if !refusals.is_empty() {
        return Err(refusals);
    }
    steps.extend(roles.grants);
    steps.extend(children::steps(desired, observed));
    steps.extend(roles.revokes);
    steps.extend(identity::retire(desired, observed));
    Ok(Plan {
        steps,
        held: roles.held,
    })
}

#[cfg(test)]
pub(crate) mod tests;
