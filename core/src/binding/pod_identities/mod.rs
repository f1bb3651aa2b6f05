//! Which identities a pod is to have on the VM or scale set under it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::arm::ManagedIdentityId;
use crate::binding::bound::{
    AzureIdentity, AzureIdentityType, Binding, BindingScope, BoundIdentities, Pod,
};
use crate::binding::refused::RefusedPod;
use crate::net_raw::Breach;

/// Whether all containers of a pod of this phase (`status.phase`) have ended for good. A pod that
/// terminates has not completed until its phase says so.
#[must_use]
pub fn is_completed(phase: Option<&str>) -> bool {
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether a pod holds the identities it is bound to: it is labelled, on a node and not completed.
/// A pod that terminates holds them until it is gone.
#[must_use]
pub fn holds_identities(selector: Option<&str>, node: Option<&str>, completed: bool) -> bool {
    let given = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    given(selector) && given(node) && !completed
}

/// One pod's use of one managed identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodIdentity {
    /// What the pod may use.
    pub identity: AzureIdentity,
    /// What gives it the use; the first by namespace and name when several do.
    pub binding: Binding,
}

/// What a pod's bindings come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PodIdentities {
    /// Identities to put on the machine under the pod.
    pub wanted: Vec<PodIdentity>,
    /// Managed identities whose `resourceID` names no user-assigned identity.
    pub malformed: Vec<AzureIdentity>,
    /// Bindings that select the pod and name an AzureIdentity that does not exist.
    pub dangling: Vec<Binding>,
    /// What the pod is refused all of it for: the ways in which it breaks the rule of a profile
    /// with `netRaw: Enforce`, or that it uses the node's network; and the identities that it would
    /// have otherwise.
    pub refused: Option<RefusedPod>,
}

/// The assignments of a pod that [holds identities](holds_identities). Service principals are
/// not put on machines, hence are not among them.
#[must_use]
pub fn pod_identities<'a>(
    pod: &Pod,
    bindings: impl IntoIterator<Item = &'a Binding>,
    identities: impl IntoIterator<Item = &'a AzureIdentity>,
    scope: BindingScope,
) -> PodIdentities {
    let bound = BoundIdentities::of(pod, bindings, identities, scope);
    let mut assignments = PodIdentities {
        dangling: bound.dangling.iter().copied().cloned().collect(),
        ..PodIdentities::default()
    };
    if let Some(breaches) = refusal(&bound, pod) {
        let identities = bound.uses.iter().map(|(identity, _)| *identity).cloned();
        assignments.refused = Some(RefusedPod {
            breaches,
            identities: identities.collect(),
        });
        return assignments;
    }
    for (identity, binding) in bound.uses {
        match identity.kind {
            AzureIdentityType::Managed
                if ManagedIdentityId::parse(&identity.resource_id).is_none() =>
            {
                assignments.malformed.push(identity.clone());
            }
            AzureIdentityType::Managed => assignments.wanted.push(PodIdentity {
                identity: identity.clone(),
                binding: binding.clone(),
            }),
            AzureIdentityType::ServicePrincipalSecret
            | AzureIdentityType::ServicePrincipalCertificate => {}
        }
    }
    assignments
}

/// What a bound pod is refused everything for. On the node's network no pod can be told from the
/// node, so such a pod is never served, whatever its bindings ask.
fn refusal(bound: &BoundIdentities<'_>, pod: &Pod) -> Option<BTreeSet<Breach>> {
    let strict = bound.breaches(pod).cloned();
    let on_node = !bound.uses.is_empty() && pod.breaches.contains(&Breach::HostNetwork);
    strict.or_else(|| on_node.then(|| [Breach::HostNetwork].into()))
}

#[cfg(test)]
mod tests;
