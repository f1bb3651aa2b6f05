//! Why a pod does not have its identities, in words for a person who describes the pod.

use podid_core::binding::{AzureIdentity, Binding};

use crate::assigned_identity::index::IndexedPod;
use crate::assigned_identity::progress::IdentityProgress;

/// Reason of the Events about what Azure refused.
const NOT_ASSIGNED: &str = "IdentityNotAssigned";

/// Something that keeps a pod from an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::assigned_identity) struct AssignmentWarning {
    /// What it is about: an identity, or the pod.
    pub(in crate::assigned_identity) subject: String,
    /// Reason of the Event.
    pub(in crate::assigned_identity) reason: String,
    /// Distinguishes causes that have the same reason.
    pub(in crate::assigned_identity) word: String,
    /// What to do, and why.
    pub(in crate::assigned_identity) note: String,
}

/// Every reason why a pod does not have one of its identities.
pub(in crate::assigned_identity) fn warnings(
    pod: &IndexedPod,
    progress: &[IdentityProgress<'_>],
) -> Vec<AssignmentWarning> {
    let assignments = &pod.assignments;
    let refused = assignments
        .refused
        .as_ref()
        .map(|refused| AssignmentWarning {
            subject: "pod".to_owned(),
            reason: refused.reason().to_owned(),
            word: "Refused".to_owned(),
            note: refused.message(),
        });
    let malformed = assignments.malformed.iter().map(malformed);
    let dangling = assignments.dangling.iter().map(dangling);
    let unassigned = progress.iter().filter_map(unassigned);
    let all = refused.into_iter().chain(malformed).chain(dangling);
    all.chain(unassigned).collect()
}

fn malformed(identity: &AzureIdentity) -> AssignmentWarning {
    AssignmentWarning {
        subject: identity.full_name(),
        reason: NOT_ASSIGNED.to_owned(),
        word: "MalformedResourceId".to_owned(),
        note: format!(
            "correct the AzureIdentity: its resourceID {:?} is not the id of a user-assigned identity",
            identity.resource_id.as_str()
        ),
    }
}

fn dangling(binding: &Binding) -> AssignmentWarning {
    let (namespace, name, identity) = (&binding.namespace, &binding.name, &binding.identity);
    AssignmentWarning {
        subject: format!("{namespace}/{identity}"),
        reason: "IdentityMissing".to_owned(),
        word: "Missing".to_owned(),
        note: format!(
            "create AzureIdentity {namespace}/{identity}, or correct spec.azureIdentity of \
             AzureIdentityBinding {namespace}/{name}: the binding selects this pod and names an \
             AzureIdentity that does not exist"
        ),
    }
}

fn unassigned(progress: &IdentityProgress<'_>) -> Option<AssignmentWarning> {
    let trouble = progress.trouble.as_ref()?;
    let reason = match progress.refused_by_podid {
        true => &trouble.reason,
        false => NOT_ASSIGNED,
    };
    Some(AssignmentWarning {
        subject: progress.assignment.identity.full_name(),
        reason: reason.to_owned(),
        word: trouble.reason.clone(),
        note: trouble.message.clone(),
    })
}
