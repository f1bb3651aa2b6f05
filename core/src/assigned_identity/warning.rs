//! Why a pod does not have its identities, in words for a person who describes the pod.

use serde::Serialize;

use super::progress::IdentityProgress;
use crate::binding::{AzureIdentity, Binding, OtherAccount, PodIdentities, RefusedPod};

/// Reason of the Events about what Azure refused.
const NOT_ASSIGNED: &str = "IdentityNotAssigned";

/// Something that keeps a pod from an identity, for an Event on the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssignmentWarning {
    /// What it is about, an identity as `namespace/name` or `pod`: the key of the history of Events.
    pub subject: String,
    /// Reason of the Event.
    pub reason: String,
    /// Distinguishes causes that have the same reason.
    pub word: String,
    /// A sentence: which object, what is wrong with it, what to do, then the details, which may be cut.
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
    let narrowed = identities.narrowed.iter().map(narrowed);
    let unassigned = progress.iter().filter_map(unassigned);
    let all = refused.chain(malformed).chain(dangling).chain(narrowed);
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

fn narrowed(other: &OtherAccount) -> AssignmentWarning {
    let Binding {
        namespace,
        identity,
        ..
    } = &other.binding;
    AssignmentWarning {
        subject: format!("{namespace}/{identity}"),
        reason: OtherAccount::REASON.to_owned(),
        word: "OtherAccount".to_owned(),
        note: other.message(),
    }
}

fn unassigned(progress: &IdentityProgress<'_>) -> Option<AssignmentWarning> {
    let failure = progress.failure.as_ref()?;
    let subject = progress.assignment.identity.full_name();
    let (reason, note) = match progress.is_refused {
        // Its message names the AzureIdentity.
        true => (failure.reason.as_str(), failure.message.clone()),
        false => {
            let note = format!(
                "AzureIdentity {subject} is not assigned: {}",
                failure.message
            );
            (NOT_ASSIGNED, note)
        }
    };
    Some(AssignmentWarning {
        subject,
        reason: reason.to_owned(),
        word: failure.reason.clone(),
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::ArmId;
    use crate::binding::{AzureIdentityType, RefusalCause, Unserved};
    use crate::testing::{binding, identity};

    #[test]
    fn every_cause_is_named_with_its_subject() {
        let malformed = identity("odd", AzureIdentityType::Managed, ArmId::new("/x"));
        let identities = PodIdentities {
            wanted: Vec::new(),
            malformed: vec![malformed.clone()],
            dangling: vec![binding("b", "missing")],
            narrowed: vec![OtherAccount {
                binding: binding("c", "theirs"),
                service_account: "default".into(),
            }],
            refused: Some(RefusedPod {
                cause: RefusalCause::Unserved(Unserved::HostNetwork),
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
            ("apps/theirs", "ServiceAccountNotBound", "OtherAccount"),
        ];
        assert_eq!(named, expected);
        assert!(warnings[1].note.contains("\"/x\""), "{warnings:?}");
        assert!(warnings[2].note.contains("AzureIdentityBinding apps/b"));
        assert!(warnings[3].note.contains("AzureIdentityBinding apps/c"));
    }
}
