//! Azure's values as those of core, and back.

use std::collections::BTreeSet;

use podid_azure::{
    ComputeIdentity, ComputeTarget, IdentityId, IdentityPatch, ResourceGroupId,
    ResourceIdentityType,
};
use podid_core::arm::ArmId;
use podid_core::target::{Target, TargetKind, TargetObservation, TargetPatch};

use crate::azure::identity_id;

pub(super) fn observation(read: &ComputeIdentity) -> TargetObservation {
    let client_ids = read.client_ids.iter();
    TargetObservation {
        user_assigned: read.user_assigned.iter().map(arm_id).collect(),
        client_ids: client_ids
            .map(|(id, client_id)| (arm_id(id), client_id.clone()))
            .collect(),
        system_assigned: read.kind.system_assigned,
        etag: read.etag.clone(),
        provisioning_state: read.provisioning_state.clone(),
    }
}

pub(super) fn identity_patch(patch: &TargetPatch) -> IdentityPatch {
    let on = &patch.on;
    let current = ComputeIdentity {
        kind: ResourceIdentityType {
            system_assigned: on.system_assigned,
            user_assigned: !on.user_assigned.is_empty(),
        },
        user_assigned: azure_ids(&on.user_assigned).collect(),
        ..ComputeIdentity::default()
    };
    let plan = &patch.plan;
    IdentityPatch::new(&current, azure_ids(&plan.add), azure_ids(&plan.remove))
}

pub(super) fn compute_target(target: &Target) -> ComputeTarget {
    let group = ResourceGroupId::new(target.subscription(), target.resource_group());
    let name = target.name().to_owned();
    match target.kind() {
        TargetKind::Vm => ComputeTarget::Vm { group, name },
        TargetKind::ScaleSet => ComputeTarget::ScaleSet { group, name },
    }
}

fn arm_id(id: &IdentityId) -> ArmId {
    ArmId::new(id.to_string())
}

/// Nothing is lost here: what is planned was admitted by core or shown by Azure, see [`identity_id`].
fn azure_ids(ids: &BTreeSet<ArmId>) -> impl Iterator<Item = IdentityId> {
    ids.iter().filter_map(identity_id)
}
