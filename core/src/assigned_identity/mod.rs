//! AzureAssignedIdentities: how far one pod is with one identity, and what to write about it.

mod failure;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use failure::AssignmentFailure;

use crate::arm::ArmId;
use crate::binding::{AzureIdentity, Pod, PodIdentity, Verification};
use crate::names;

/// How far an assignment has come. The operator writes it, the node daemon serves tokens by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AssignmentState {
    /// Known, and on its way to the VM or scale set.
    Created,
    /// On the VM or scale set, as Azure confirmed.
    Assigned,
    /// Refused until a person acts: it will not come by waiting, and the pod is told so.
    Failed(AssignmentFailure),
}

/// How far an assignment has come, from what the machine is known to carry (`None`: not looked
/// yet), why it was refused if it was, and what was said before of the same identity. What was
/// assigned stays so until Azure says otherwise, or a restart of ours would stop tokens that are
/// fine; and what was refused stays so until Azure says yes, or a restart would call it on its way
/// once more and its profile ready.
#[must_use]
pub fn assignment_state(
    identity: &ArmId,
    on_target: Option<&BTreeSet<ArmId>>,
    failure: Option<&AssignmentFailure>,
    before: Option<AssignmentState>,
) -> AssignmentState {
    match (on_target, failure) {
        (Some(on_target), _) if on_target.contains(identity) => AssignmentState::Assigned,
        (None, _) if before == Some(AssignmentState::Assigned) => AssignmentState::Assigned,
        (_, Some(failure)) => AssignmentState::Failed(failure.clone()),
        (Some(_), None) if before == Some(AssignmentState::Assigned) => AssignmentState::Created,
        (_, None) => before.unwrap_or(AssignmentState::Created),
    }
}

/// The same for an identity that may not be put on a machine as things [stand](Verification).
#[must_use]
pub fn unverified_state(
    verification: &Verification,
    before: Option<AssignmentState>,
) -> Option<AssignmentState> {
    match verification {
        Verification::Verified => None,
        Verification::Refused(failure) => Some(AssignmentState::Failed(failure.clone())),
        // That the machine carries it says nothing: it may be there for others.
        Verification::Pending(_) => Some(before.unwrap_or(AssignmentState::Created)),
    }
}

/// An AzureAssignedIdentity of one pod, as far as it is decided on. podid writes all of it; an object
/// of the predecessor may lack what only the operator compares, which then is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AssignedIdentity {
    /// Uid of the pod that owns the object. A name alone could be an earlier pod's.
    pub pod_uid: String,
    /// Node the pod runs on.
    pub node: String,
    /// The AzureIdentity, by namespace and name.
    pub identity: (String, String),
    /// The managed identity that the AzureIdentity named when this was written; `None` only in
    /// objects that podid did not write.
    pub resource_id: Option<ArmId>,
    /// Client id that the AzureIdentity had then.
    pub client_id: String,
    /// The AzureIdentityBinding, by namespace and name.
    pub binding: (String, String),
    /// How far it has come.
    pub state: AssignmentState,
}

/// The AzureAssignedIdentities that a pod on `node` should have, by name.
#[must_use]
pub fn assigned_identities(
    pod: &Pod,
    node: &str,
    assignments: &[PodIdentity],
    state: impl Fn(&str, &AzureIdentity) -> AssignmentState,
) -> BTreeMap<String, AssignedIdentity> {
    let of = |PodIdentity { identity, binding }: &PodIdentity| {
        let name =
            names::assigned_identity(&pod.name, &pod.uid, &identity.namespace, &identity.name);
        let state = state(&name, identity);
        let object = AssignedIdentity {
            pod_uid: pod.uid.clone(),
            node: node.to_owned(),
            identity: (identity.namespace.clone(), identity.name.clone()),
            resource_id: Some(identity.resource_id.clone()),
            client_id: identity.client_id.clone(),
            binding: (binding.namespace.clone(), binding.name.clone()),
            state,
        };
        (name, object)
    };
    assignments.iter().map(of).collect()
}

/// What to write so that a pod's AzureAssignedIdentities are as they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AssignedIdentityPlan {
    /// Objects to apply, by name.
    pub apply: BTreeMap<String, AssignedIdentity>,
    /// Names of objects to delete.
    pub delete: BTreeSet<String>,
}

/// Compares the objects a pod should have with those it has.
#[must_use]
pub fn plan_assigned_identities(
    desired: &BTreeMap<String, AssignedIdentity>,
    observed: &BTreeMap<String, Option<AssignedIdentity>>,
) -> AssignedIdentityPlan {
    let differs = |(name, object): &(&String, &AssignedIdentity)| {
        observed.get(*name).and_then(Option::as_ref) != Some(*object)
    };
    let copy = |(name, object): (&String, &AssignedIdentity)| (name.clone(), object.clone());
    let gone = observed.keys().filter(|name| !desired.contains_key(*name));
    AssignedIdentityPlan {
        apply: desired.iter().filter(differs).map(copy).collect(),
        delete: gone.cloned().collect(),
    }
}

#[cfg(test)]
mod tests;
