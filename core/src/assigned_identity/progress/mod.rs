//! How far a pod is with each of its identities.

use std::collections::BTreeMap;

use serde::Serialize;

use super::failure::AssignmentFailure;
use super::object::AssignedIdentity;
use super::state::{AssignmentState, assignment_state, unverified_state};
use crate::binding::{AzureIdentity, Pod, PodIdentity, Verification};
use crate::names;
use crate::target::{NodeTargetError, Target, TargetStatus};

/// Reason of a failure on a node that is neither an Azure VM nor an instance of a scale set.
const UNKNOWN_NODE: &str = "UnknownNode";

/// A pod that holds identities, and what is known of its node and its objects.
#[derive(Clone, Copy, Debug)]
pub struct ObservedPod<'a> {
    #[allow(missing_docs, reason = "the name is enough")]
    pub pod: &'a Pod,
    /// Name of the node that it was scheduled to.
    pub node: &'a str,
    /// The VM or scale set under the node; `None` while the node is not known (yet, or any more).
    pub target: Option<&'a Result<Target, NodeTargetError>>,
    /// What is known of that VM or scale set; `None` while it is not worked on.
    pub status: Option<&'a TargetStatus>,
    /// The AzureAssignedIdentities of the pod that exist, by name; `None` for one that cannot be read.
    pub existing: &'a BTreeMap<String, Option<AssignedIdentity>>,
}

/// How far a pod is with one identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityProgress<'a> {
    #[allow(missing_docs, reason = "the name is enough")]
    pub assignment: &'a PodIdentity,
    #[allow(missing_docs, reason = "the name is enough")]
    pub state: AssignmentState,
    /// Why the pod does not have the identity, also when that may pass.
    pub failure: Option<AssignmentFailure>,
    /// Whether its [`Verification`] refuses the identity.
    pub is_refused: bool,
}

impl ObservedPod<'_> {
    /// How far the pod is with an identity that it is to have.
    #[must_use]
    pub fn progress<'i>(
        &self,
        assignment: &'i PodIdentity,
        verification: &Verification,
    ) -> IdentityProgress<'i> {
        let before = self.before(&assignment.identity);
        let (state, failure) = match unverified_state(verification, before.clone()) {
            Some(state) => {
                let failure = failure_of_unverified(verification, &state);
                (state, failure)
            }
            None => self.progress_of_verified(&assignment.identity, before),
        };
        IdentityProgress {
            assignment,
            state,
            failure,
            is_refused: matches!(verification, Verification::Refused(_)),
        }
    }

    fn progress_of_verified(
        &self,
        identity: &AzureIdentity,
        before: Option<AssignmentState>,
    ) -> (AssignmentState, Option<AssignmentFailure>) {
        if let Some(failure) = self.unknown_node() {
            return (AssignmentState::Failed(failure.clone()), Some(failure));
        }
        let id = &identity.resource_id;
        let failure = self.status.and_then(|status| status.failures.get(id));
        let present = self.status.and_then(|status| status.present.as_ref());
        let permanent = failure.and_then(|failure| failure.permanent());
        // A refusal of podid's own is no answer of Azure, so it does not outlast its cause.
        let before = before.filter(|before| !is_refused_by_podid(before));
        let state = assignment_state(id, present, permanent, before);
        let failure = match &state {
            AssignmentState::Assigned => None,
            AssignmentState::Created => failure.map(|failure| failure.cause.clone()),
            AssignmentState::Failed(failure) => Some(failure.clone()),
        };
        (state, failure)
    }

    /// The state in the AzureAssignedIdentity, if that is about the same managed identity. A state of another
    /// one must not count: whoever edits an AzureIdentity could get a token of any identity by it.
    fn before(&self, identity: &AzureIdentity) -> Option<AssignmentState> {
        let (pod, namespace) = (self.pod, &identity.namespace);
        let name = names::assigned_identity(&pod.name, &pod.uid, namespace, &identity.name);
        let content = self.existing.get(&name)?.as_ref()?;
        let is_same = content.resource_id.as_ref() == Some(&identity.resource_id);
        is_same.then(|| content.state.clone())
    }

    /// Why there is no VM or scale set to put an identity on. `None` also for a new node, which gets its
    /// provider id later.
    fn unknown_node(&self) -> Option<AssignmentFailure> {
        match self.target? {
            Ok(_) | Err(NodeTargetError::Empty) => None,
            Err(error) => Some(AssignmentFailure {
                reason: UNKNOWN_NODE.to_owned(),
                message: format!(
                    "node {} is no Linux node on an Azure VM or in a scale set ({error}); run the pod on one",
                    self.node
                ),
            }),
        }
    }
}

fn failure_of_unverified(
    verification: &Verification,
    state: &AssignmentState,
) -> Option<AssignmentFailure> {
    match verification {
        Verification::Verified => None,
        Verification::Refused(failure) => Some(failure.clone()),
        Verification::Pending(_) if *state == AssignmentState::Assigned => None,
        // Not what the AzureAssignedIdentity says: that is from before a restart, and may be over.
        Verification::Pending(failure) => failure.clone(),
    }
}

/// Whether podid itself refused the identity, and not Azure.
fn is_refused_by_podid(state: &AssignmentState) -> bool {
    matches!(state, AssignmentState::Failed(failure)
        if Verification::refuses_with(failure) || failure.reason == UNKNOWN_NODE)
}

#[cfg(test)]
mod tests;
