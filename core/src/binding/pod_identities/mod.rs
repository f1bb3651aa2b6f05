//! Which identities a pod is to have on the VM or scale set under it.

use serde::Serialize;

use crate::arm::ManagedIdentityId;
use crate::binding::bound::{AzureIdentity, AzureIdentityType, Binding, BoundIdentities, Pod};
use crate::binding::other_account::OtherAccount;
use crate::binding::refused::{RefusalCause, RefusedPod};
use crate::binding::rules::ServingRules;
use crate::binding::unserved::Unserved;

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

/// The result of a pod's bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PodIdentities {
    /// Identities to assign to the VM or scale set under the pod.
    pub wanted: Vec<PodIdentity>,
    /// Managed identities whose `resourceID` names no user-assigned identity.
    pub malformed: Vec<AzureIdentity>,
    /// Bindings that select the pod and name an AzureIdentity that does not exist.
    pub dangling: Vec<Binding>,
    /// Bindings that do not take the pod's service account; only where nothing else binds the pod.
    pub narrowed: Vec<OtherAccount>,
    /// Set when the pod gets none of its identities, because it breaks the rule of a profile with
    /// `netRaw: Enforce` or is of a kind that is never served.
    pub refused: Option<RefusedPod>,
}

/// The identities of a pod that [holds identities](holds_identities). Service principals cannot be
/// assigned to a VM or scale set, so they are not among them.
#[must_use]
pub fn pod_identities<'a>(
    pod: &Pod,
    bindings: impl IntoIterator<Item = &'a Binding>,
    identities: impl IntoIterator<Item = &'a AzureIdentity>,
    rules: ServingRules,
) -> PodIdentities {
    let bound = BoundIdentities::of(pod, bindings, identities, rules);
    let narrowed = bound.narrowed.iter();
    let mut identities = PodIdentities {
        dangling: bound.dangling.iter().copied().cloned().collect(),
        narrowed: narrowed
            .map(|binding| OtherAccount::of(binding, pod))
            .collect(),
        ..PodIdentities::default()
    };
    if let Some(cause) = refusal(&bound, pod) {
        let refused = bound.uses.iter().map(|(identity, _)| *identity).cloned();
        identities.refused = Some(RefusedPod {
            cause,
            identities: refused.collect(),
        });
        return identities;
    }
    for (identity, binding) in bound.uses {
        match &identity.kind {
            AzureIdentityType::Managed
                if ManagedIdentityId::parse(&identity.resource_id).is_none() =>
            {
                identities.malformed.push(identity.clone());
            }
            AzureIdentityType::Managed => identities.wanted.push(PodIdentity {
                identity: identity.clone(),
                binding: binding.clone(),
            }),
            AzureIdentityType::ServicePrincipal(_) => {}
        }
    }
    identities
}

/// Why a bound pod gets no identity at all.
fn refusal(bound: &BoundIdentities<'_>, pod: &Pod) -> Option<RefusalCause> {
    let strict = bound.breaches(pod).cloned().map(RefusalCause::BreaksRule);
    let unserved = pod.unserved.filter(|_| !bound.uses.is_empty());
    match unserved {
        // The node's network is a breach as well, and is told with the others.
        None | Some(Unserved::HostNetwork) => strict.or(unserved.map(RefusalCause::Unserved)),
        Some(kind) => Some(RefusalCause::Unserved(kind)),
    }
}

#[cfg(test)]
mod tests;
