//! How far a pod is with each of its identities.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::assigned_identity::{
    AssignmentFailure, AssignmentState, assignment_state, unverified_state,
};
use podid_core::binding::PodIdentity;
use podid_core::binding::Verification;
use podid_core::binding::{AzureIdentity, Origin};
use podid_core::names;
use podid_core::net_raw::NetRaw;
use podid_core::profile::pods::PodState;
use podid_core::target::{ProviderIdError, TargetStatus};

use podid_index::ObjectKey;

use super::existing::ExistingContents;
use super::index::IndexedPod;
use super::pod_count_entry::PodCountEntry;

/// Reason of a failure on a node that is neither an Azure VM nor an instance of a scale set.
const UNKNOWN_NODE: &str = "UnknownMachine";

/// How far a pod is with one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdentityProgress<'a> {
    pub(super) assignment: &'a PodIdentity,
    pub(super) state: AssignmentState,
    /// What stands in the way, also when it may pass.
    pub(super) trouble: Option<AssignmentFailure>,
    /// Whether podid refuses it, not Azure.
    pub(super) refused_by_podid: bool,
}

impl IdentityProgress<'_> {
    fn identity(&self) -> &AzureIdentity {
        &self.assignment.identity
    }
}

/// The progress of each identity that a pod is to have. `status` is that of the VM or scale set under the pod;
/// `existing` is the content of the pod's AzureAssignedIdentities.
pub(super) fn progress_of_pod<'a>(
    pod: &'a IndexedPod,
    status: Option<&TargetStatus>,
    existing: &ExistingContents,
) -> Vec<IdentityProgress<'a>> {
    let of =
        |(assignment, verification)| progress_of(pod, assignment, verification, status, existing);
    pod.wanted().map(of).collect()
}

fn progress_of<'a>(
    pod: &IndexedPod,
    assignment: &'a PodIdentity,
    verification: &Verification,
    status: Option<&TargetStatus>,
    existing: &ExistingContents,
) -> IdentityProgress<'a> {
    let before = before(pod, assignment, existing);
    let id = &assignment.identity.resource_id;
    if let Some(state) = unverified_state(verification, before.clone()) {
        // Before the first lookup no problem is reported, also when the AzureAssignedIdentity has one from
        // before a restart: it may be over.
        let (trouble, refused_by_podid) = match verification {
            Verification::Pending(_) if state == AssignmentState::Assigned => (None, false),
            Verification::Pending(trouble) => (trouble.clone(), false),
            Verification::Refused(failure) => (Some(failure.clone()), true),
            Verification::Verified => (None, false),
        };
        return IdentityProgress {
            assignment,
            state,
            trouble,
            refused_by_podid,
        };
    }
    if let Some(failure) = unknown_node(pod) {
        return IdentityProgress::not_refused(assignment, AssignmentState::Failed(failure), None);
    }
    let failure = status.and_then(|status| status.failures.get(id));
    let carries = status.and_then(|status| status.carries.as_ref());
    let lasting = failure.and_then(|failure| failure.lasting());
    let before = before.filter(|before| !was_refused_by_podid(before));
    let state = assignment_state(id, carries, lasting, before);
    let trouble = failure.map(|failure| failure.cause.clone());
    IdentityProgress::not_refused(assignment, state, trouble)
}

impl<'a> IdentityProgress<'a> {
    /// Progress of an identity that podid itself does not refuse.
    fn not_refused(
        assignment: &'a PodIdentity,
        state: AssignmentState,
        trouble: Option<AssignmentFailure>,
    ) -> Self {
        let trouble = match &state {
            AssignmentState::Assigned => None,
            AssignmentState::Created => trouble,
            AssignmentState::Failed(failure) => Some(failure.clone()),
        };
        Self {
            assignment,
            state,
            trouble,
            refused_by_podid: false,
        }
    }
}

/// The state in the AzureAssignedIdentity, if that is about the same managed identity. A state of another one
/// must not count: whoever edits an AzureIdentity could get a token of any identity by it.
fn before(
    pod: &IndexedPod,
    assignment: &PodIdentity,
    existing: &ExistingContents,
) -> Option<AssignmentState> {
    let (pod, identity) = (&pod.placed.pod, &assignment.identity);
    let name = names::assigned_identity(&pod.name, &pod.uid, &identity.namespace, &identity.name);
    let content = existing.get(&name)?.as_ref()?;
    (content.resource_id.as_ref() == Some(&identity.resource_id)).then(|| content.state.clone())
}

/// Whether podid itself refused the identity before. Such a failure is no answer of Azure.
fn was_refused_by_podid(before: &AssignmentState) -> bool {
    matches!(before, AssignmentState::Failed(failure)
        if Verification::refuses_with(failure) || failure.reason == UNKNOWN_NODE)
}

/// Why there is no VM or scale set to put an identity on. `None` also for a new node, which gets its provider
/// id later.
fn unknown_node(pod: &IndexedPod) -> Option<AssignmentFailure> {
    match pod.target.as_ref()? {
        Ok(_) | Err(ProviderIdError::Empty) => None,
        Err(error) => Some(AssignmentFailure {
            reason: UNKNOWN_NODE.to_owned(),
            message: format!(
                "node {} is not an Azure VM or in a scale set ({error}); run the pod on a node that is",
                pod.placed.node
            ),
        }),
    }
}

/// What a pod adds to the counts of each profile that binds it.
pub(super) fn pod_count_entries(
    pod: &IndexedPod,
    progress: &[IdentityProgress<'_>],
) -> BTreeMap<ObjectKey, PodCountEntry> {
    let of_profile = |identity: &&AzureIdentity| identity.origin == Origin::Profile;
    let key = |identity: &AzureIdentity| ObjectKey::new(&identity.namespace, &identity.name);
    if let Some(refused) = &pod.assignments.refused {
        let entry = PodCountEntry {
            state: PodState::Refused(refused.breaches.clone()),
            audited: BTreeSet::new(),
        };
        let identities = refused.identities.iter().filter(of_profile);
        return identities
            .map(|identity| (key(identity), entry.clone()))
            .collect();
    }
    let breaches = &pod.placed.pod.breaches;
    let progress = progress.iter().filter(|one| of_profile(&one.identity()));
    let entry = |one: &IdentityProgress<'_>| PodCountEntry {
        state: pod_state(one),
        audited: match one.identity().net_raw {
            NetRaw::Audit => breaches.clone(),
            NetRaw::Enforce | NetRaw::Ignore => BTreeSet::new(),
        },
    };
    progress
        .map(|one| (key(one.identity()), entry(one)))
        .collect()
}

/// The state as of now. Whether it lasts for too long is decided where pods are counted.
fn pod_state(progress: &IdentityProgress<'_>) -> PodState {
    match &progress.state {
        AssignmentState::Assigned => PodState::Assigned,
        AssignmentState::Created => PodState::UnderWay {
            late: false,
            trouble: progress.trouble.clone(),
        },
        AssignmentState::Failed(failure) => PodState::Failed(failure.clone()),
    }
}

#[cfg(test)]
mod tests;
