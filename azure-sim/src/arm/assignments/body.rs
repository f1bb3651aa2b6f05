//! The body of a PUT of a role assignment.

use serde::Deserialize;

use crate::arm::error::{ArmError, Result};
use crate::conditions::{AttributesOfAssignment, Condition, ConditionError};
use crate::ids::last;

#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    pub(super) role_definition_id: String,
    pub(super) principal_id: String,
    pub(super) principal_type: Option<String>,
    pub(super) description: Option<String>,
    condition: Option<String>,
    condition_version: Option<String>,
    delegated_managed_identity_resource_id: Option<String>,
}

impl Properties {
    /// What the conditions of the caller's role assignments may ask of the one in the request.
    pub(super) fn attributes(&self) -> AttributesOfAssignment {
        // Azure takes an absent type for this.
        let principal_type = self.principal_type.as_deref().unwrap_or("User");
        AttributesOfAssignment {
            role: last(&self.role_definition_id).to_lowercase(),
            principal_id: self.principal_id.clone(),
            principal_type: principal_type.to_owned(),
        }
    }

    /// The condition of the assignment in the request.
    pub(super) fn condition(&self) -> Result<Option<Condition>> {
        Condition::read(self.condition.as_deref(), self.condition_version.as_deref()).map_err(
            |error| match error {
                ConditionError::NotSimulated(what) => {
                    ArmError::not_simulated(format!("{what} in conditions of role assignments"))
                }
                // Azure's documents name the message, but not the code.
                ConditionError::Malformed(_) => {
                    ArmError::bad_request("InvalidRoleAssignmentCondition", error.to_string())
                }
            },
        )
    }

    /// Refuses an assignment with a part that is not simulated. Without that part it would allow more
    /// here than in Azure.
    pub(super) fn refuse_unsimulated(&self) -> Result<()> {
        if self.delegated_managed_identity_resource_id.is_some() {
            return Err(ArmError::not_simulated(
                "delegatedManagedIdentityResourceId",
            ));
        }
        Ok(())
    }
}
