//! AzureAssignedIdentities: the state of one pod's use of one identity, and which objects to write.

mod failure;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use failure::AssignmentFailure;

use crate::arm::ArmId;
use crate::binding::{AzureIdentity, Pod, PodIdentity, Verification};
use crate::names;

/// State of an assignment. The operator writes it; the node daemon serves tokens only for `Assigned`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AssignmentState {
    /// Known, and on its way to the VM or scale set.
    Created,
    /// On the VM or scale set, as Azure confirmed.
    Assigned,
    /// Refused until a person acts: waiting does not help, and the pod gets an error instead of waiting.
    Failed(AssignmentFailure),
}

/// State of an assignment, from the identities on the target (`None`: not read yet), the failure if
/// Azure refused it, and the state in the object that exists.
///
/// After a restart of the operator nothing has been read. Then `Assigned` stays until Azure shows that
/// the identity is absent, or the restart would stop valid tokens; and `Failed` stays until Azure accepts
/// the identity, or the restart would make its profile ready.
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

/// State of an assignment whose identity is not [verified](Verification); `None` when it is, so that
/// [`assignment_state`] decides.
#[must_use]
pub fn unverified_state(
    verification: &Verification,
    before: Option<AssignmentState>,
) -> Option<AssignmentState> {
    match verification {
        Verification::Verified => None,
        Verification::Refused(failure) => Some(AssignmentState::Failed(failure.clone())),
        // The identity may be on the target for other pods, so its presence does not count here.
        Verification::Pending(_) => Some(before.unwrap_or(AssignmentState::Created)),
    }
}

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

/// The writes that make a pod's AzureAssignedIdentities as desired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AssignedIdentityPlan {
    /// Objects to apply, by name.
    pub apply: BTreeMap<String, AssignedIdentity>,
    /// Names of objects to delete.
    pub delete: BTreeSet<String>,
}

/// Compares the objects a pod should have with those it has; `None` is an object that cannot be read, which
/// is written anew.
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
