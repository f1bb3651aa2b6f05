use super::Plan;
use super::identity::{Ownership, may_delete, ownership};
use super::roles;
use super::step::Step;
use crate::arm::ArmId;
use crate::desired::Owner;
use crate::observed::{Child, Observed};
use crate::profile::DeletionPolicy;

/// A profile that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Whose things are to go.
    pub owner: Owner,
    /// What becomes of an identity that podid made.
    pub policy: DeletionPolicy,
}

/// What is to be undone so that nothing of the profile is left but what its policy keeps: pods
/// lose the identity, machines let go of it, rights are taken back, the identity is deleted.
///
/// Nothing is refused: what is not the profile's own is left alone.
#[must_use]
pub fn plan_deletion(deletion: &Deletion, observed: &Observed) -> Plan {
    let mut steps = children(&deletion.owner, observed);
    if deletion.policy == DeletionPolicy::Delete {
        let identities = identities(deletion, observed);
        steps.extend(
            identities
                .iter()
                .map(|(id, _)| Step::AwaitUnassigned { id: id.clone() }),
        );
        steps.extend(roles::revoke_all(&deletion.owner, observed));
        let made = identities
            .into_iter()
            .filter(|(_, made)| may_delete(*made, deletion.policy));
        steps.extend(made.map(|(id, _)| Step::DeleteIdentity { id }));
    }
    Plan {
        steps,
        held: Vec::new(),
    }
}

fn children(owner: &Owner, observed: &Observed) -> Vec<Step> {
    let (namespace, name) = (owner.namespace.clone(), owner.profile.clone());
    let mut steps = Vec::new();
    if observed.binding.as_ref().is_some_and(is_own) {
        steps.push(Step::DeleteBinding {
            namespace: namespace.clone(),
            name: name.clone(),
        });
    }
    if observed.azure_identity.as_ref().is_some_and(is_own) {
        steps.push(Step::DeleteAzureIdentity { namespace, name });
    }
    steps
}

fn is_own<T>(child: &Child<T>) -> bool {
    child.owned
}

/// The profile's identities, and whether podid made them. What Azure says now counts for more
/// than the record; but an identity of ours that Azure does not show may only not show *yet*, so
/// the record alone is enough to delete it, which does nothing when it is not there.
fn identities(deletion: &Deletion, observed: &Observed) -> Vec<(ArmId, bool)> {
    let mut found = Vec::new();
    if let Some(identity) = &observed.identity {
        let ours = ownership(identity, &deletion.owner, &observed.record) == Ownership::Ours;
        let used = observed
            .record
            .identity
            .as_ref()
            .is_some_and(|used| used.id == identity.id);
        if ours || used {
            found.push((identity.id.clone(), ours));
        }
    }
    let recorded = observed.record.identity.iter();
    let unseen: Vec<_> = recorded
        .filter(|recorded| !found.iter().any(|(id, _)| *id == recorded.id))
        .map(|recorded| (recorded.id.clone(), recorded.created))
        .collect();
    found.extend(unseen);
    found
}
