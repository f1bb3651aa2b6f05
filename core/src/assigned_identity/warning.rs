//! Why a pod does not have its identities, in words for a person who describes the pod.

use serde::Serialize;

use super::progress::IdentityProgress;
use crate::binding::{AzureIdentity, Binding, PodIdentities, RefusedPod};

/// Reason of the Events about what Azure refused.
const NOT_ASSIGNED: &str = "IdentityNotAssigned";

/// Something that keeps a pod from an identity, for an Event on the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssignmentWarning {
    /// What it is about: an identity as `namespace/name`, or `pod`.
    pub subject: String,
    /// Reason of the Event.
    pub reason: String,
    /// Distinguishes causes that have the same reason.
    pub word: String,
    /// What to do, then why.
    pub note: String,
}

/// Every reason why a pod does not have one of its identities.
#[must_use]
pub fn assignment_warnings(
    identities: &PodIdentities,
    progress: &[IdentityProgress<'_>],
) -> Vec<AssignmentWarning> {
    let refused = identities.refused.iter().map(refused);
    let malformed = identities.malformed.iter().map(malformed);
    let dangling = identities.dangling.iter().map(dangling);
    let unassigned = progress.iter().filter_map(unassigned);
    let all = refused.chain(malformed).chain(dangling);
    all.chain(unassigned).collect()
}

fn refused(pod: &RefusedPod) -> AssignmentWarning {
    AssignmentWarning {
        subject: "pod".to_owned(),
        reason: pod.reason().to_owned(),
        word: "Refused".to_owned(),
        note: pod.message(),
    }
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
    let failure = progress.failure.as_ref()?;
    let reason = match progress.is_refused {
        true => &failure.reason,
        false => NOT_ASSIGNED,
    };
    Some(AssignmentWarning {
        subject: progress.assignment.identity.full_name(),
        reason: reason.to_owned(),
        word: failure.reason.clone(),
        note: failure.message.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::ArmId;
    use crate::binding::AzureIdentityType;
    use crate::net_raw::Breach;
    use crate::testing::{binding, identity};

    #[test]
    fn every_cause_is_named_with_its_subject() {
        let malformed = identity("odd", AzureIdentityType::Managed, ArmId::new("/x"));
        let identities = PodIdentities {
            wanted: Vec::new(),
            malformed: vec![malformed.clone()],
            dangling: vec![binding("b", "missing")],
            refused: Some(RefusedPod {
                breaches: [Breach::HostNetwork].into(),
                identities: vec![malformed],
            }),
        };
        let warnings = assignment_warnings(&identities, &[]);
        let named: Vec<_> = warnings
            .iter()
            .map(|one| (one.subject.as_str(), one.reason.as_str(), one.word.as_str()))
            .collect();
        let expected = [
            ("pod", "HostNamespaceUsed", "Refused"),
            ("apps/odd", "IdentityNotAssigned", "MalformedResourceId"),
            ("apps/missing", "IdentityMissing", "Missing"),
        ];
        assert_eq!(named, expected);
        assert!(warnings[1].note.contains("\"/x\""), "{warnings:?}");
        assert!(warnings[2].note.contains("AzureIdentityBinding apps/b"));
    }
}
