use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::arm::ArmId;

/// What a VM or scale set is to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DesiredIdentities {
    /// What is to be on it.
    pub desired: BTreeSet<ArmId>,
    /// The client ids of these, where AzureIdentities say them.
    pub client_ids: BTreeMap<ArmId, String>,
    /// What stays if it is there, and is not put there.
    pub kept: BTreeSet<ArmId>,
}
