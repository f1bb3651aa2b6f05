//! Why a pod does not have its identities, in words for a person who describes the pod.

use podid_core::binding::{AzureIdentity, Binding};

use crate::assigned_identity::index::IndexedPod;
use crate::assigned_identity::progress::IdentityProgress;

/// Reason of the Events about what Azure refused.
const NOT_ASSIGNED: &str = "IdentityNotAssigned";

/// Something that keeps a pod from an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::assigned_identity) struct AssignmentWarning {
    /// What it is about, an identity or the pod: the key of the history of Events.
    pub(in crate::assigned_identity) subject: String,
    /// Reason of the Event.
    pub(in crate::assigned_identity) reason: String,
    /// Distinguishes causes that have the same reason.
    pub(in crate::assigned_identity) word: String,
    /// A sentence: which object, what is wrong with it, what to do, then the details, which may be cut.
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
            "AzureIdentity {} is not assigned; correct its resourceID, which is not the id of a \
             user-assigned identity: {:?}",
            identity.full_name(),
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
            "AzureIdentityBinding {namespace}/{name} selects the pod and names AzureIdentity \
             {namespace}/{identity}, which does not exist; create AzureIdentity {namespace}/{identity}, or \
             correct spec.azureIdentity of the binding"
        ),
    }
}

fn unassigned(progress: &IdentityProgress<'_>) -> Option<AssignmentWarning> {
    let trouble = progress.trouble.as_ref()?;
    let subject = progress.assignment.identity.full_name();
    let (reason, note) = match progress.refused_by_podid {
        // Its message names the AzureIdentity.
        true => (trouble.reason.as_str(), trouble.message.clone()),
        false => (
            NOT_ASSIGNED,
            format!(
                "AzureIdentity {subject} is not assigned: {}",
                trouble.message
            ),
        ),
    };
    Some(AssignmentWarning {
        subject,
        reason: reason.to_owned(),
        word: trouble.reason.clone(),
        note,
    })
}
