//! Why a pod does not have its identities, in words for the one who described the pod.

use podid_core::binding::{AzureIdentity, Binding};

use super::assess::Assessed;
use super::index::IndexedPod;
use super::pod_events::AssignmentWarning;

/// Reason of the Events about what Azure refused.
const NOT_ASSIGNED: &str = "IdentityNotAssigned";

/// Everything there is to say against a pod's getting its identities.
pub(super) fn warnings(entry: &IndexedPod, assessed: &[Assessed<'_>]) -> Vec<AssignmentWarning> {
    let assignments = &entry.assignments;
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
    let unassigned = assessed.iter().filter_map(unassigned);
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

fn unassigned(assessed: &Assessed<'_>) -> Option<AssignmentWarning> {
    let trouble = assessed.trouble.as_ref()?;
    let reason = match assessed.by_us {
        true => &trouble.reason,
        false => NOT_ASSIGNED,
    };
    Some(AssignmentWarning {
        subject: assessed.assignment.identity.full_name(),
        reason: reason.to_owned(),
        word: trouble.reason.clone(),
        note: trouble.message.clone(),
    })
}
