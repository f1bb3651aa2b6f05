//! Which AzureAssignedIdentities a pod should have, and what to write.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::object::AssignedIdentity;
use super::progress::{IdentityProgress, ObservedPod};
use crate::binding::PodIdentity;
use crate::names;
use crate::target::NodeTargetError;

/// The AzureAssignedIdentities that a pod should have, by name: one for each identity. None while the VM or
/// scale set under the pod is not known.
#[must_use]
pub fn assigned_identities(
    observed: &ObservedPod<'_>,
    progress: &[IdentityProgress<'_>],
) -> BTreeMap<String, AssignedIdentity> {
    if matches!(observed.target, None | Some(Err(NodeTargetError::Empty))) {
        return BTreeMap::new();
    }
    let pod = observed.pod;
    let of = |progress: &IdentityProgress<'_>| {
        let PodIdentity { identity, binding } = progress.assignment;
        let (namespace, name) = (&identity.namespace, &identity.name);
        let object = AssignedIdentity {
            pod_uid: pod.uid.clone(),
            node: observed.node.to_owned(),
            identity: (namespace.clone(), name.clone()),
            resource_id: Some(identity.resource_id.clone()),
            client_id: identity.client_id.clone(),
            binding: (binding.namespace.clone(), binding.name.clone()),
            state: progress.state.clone(),
        };
        let name = names::assigned_identity(&pod.name, &pod.uid, namespace, name);
        (name, object)
    };
    progress.iter().map(of).collect()
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
