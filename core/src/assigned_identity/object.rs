use serde::Serialize;

use super::state::AssignmentState;
use crate::arm::ArmId;

/// The fields of an AzureAssignedIdentity on which decisions depend. podid writes all of them; in an
/// object that AAD Pod Identity wrote, those that only the operator compares may be empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssignedIdentity {
    /// Uid of the pod that owns the object. A name alone could be an earlier pod's.
    pub pod_uid: String,
    /// Node the pod runs on.
    pub node: String,
    /// The AzureIdentity, by namespace and name.
    pub identity: (String, String),
    /// The managed identity that the AzureIdentity named when this was written; `None` only in
    /// objects that podid did not write, by which no token is issued.
    pub resource_id: Option<ArmId>,
    /// Client id that the AzureIdentity had then.
    pub client_id: String,
    /// The AzureIdentityBinding, by namespace and name.
    pub binding: (String, String),
    /// State of the assignment.
    pub state: AssignmentState,
}

impl AssignedIdentity {
    /// Whether it says that the pod's VM or scale set has this managed identity.
    #[must_use]
    pub fn is_assigned(&self, identity: &ArmId) -> bool {
        self.state == AssignmentState::Assigned && self.resource_id.as_ref() == Some(identity)
    }
}
