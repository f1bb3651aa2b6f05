use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::arm::ArmId;

/// The identities that a VM or scale set should have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DesiredIdentities {
    /// Identities that must be on it.
    pub desired: BTreeSet<ArmId>,
    /// Client ids of these, as in the AzureIdentities; absent where an AzureIdentity has none.
    pub client_ids: BTreeMap<ArmId, String>,
    /// Identities that are left on it if present, and not added if absent.
    pub kept: BTreeSet<ArmId>,
}
