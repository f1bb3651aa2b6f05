use super::roles;
use crate::arm::ArmId;
use crate::owner::Owner;
use crate::profile::DeletionPolicy;
use crate::profile::observed::{Child, Observed};
use crate::profile::plan::Plan;
use crate::profile::plan::identity::{made, made_for, may_delete};
use crate::profile::plan::step::Step;

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

/// The profile's identities, and whether podid made them: those that Azure shows as its own, and
/// the one it remembers.
fn identities(deletion: &Deletion, observed: &Observed) -> Vec<(ArmId, bool)> {
    let owner = &deletion.owner;
    let recorded = observed.record.identity.as_ref();
    let remembered = recorded.map(|it| (it.id.clone(), made(it, owner, observed)));
    let other = observed.identity.as_ref().filter(|shown| {
        let is_recorded = recorded.is_some_and(|recorded| recorded.id == shown.id);
        !is_recorded && made_for(shown, owner, &observed.record)
    });
    let other = other.map(|shown| (shown.id.clone(), true));
    other.into_iter().chain(remembered).collect()
}
