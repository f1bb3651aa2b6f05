//! The body of a PUT of a role assignment.

use serde::Deserialize;

use crate::arm::error::{ArmError, Result};

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
    delegated_managed_identity_resource_id: Option<String>,
}

impl Properties {
    /// Refuses an assignment with a part that is not simulated. Without that part it would allow more
    /// here than in Azure.
    pub(super) fn refuse_unsimulated(&self) -> Result<()> {
        if self.condition.as_deref().is_some_and(|c| !c.is_empty()) {
            return Err(ArmError::not_simulated("conditions of role assignments"));
        }
        if self.delegated_managed_identity_resource_id.is_some() {
            return Err(ArmError::not_simulated(
                "delegatedManagedIdentityResourceId",
            ));
        }
        Ok(())
    }
}
