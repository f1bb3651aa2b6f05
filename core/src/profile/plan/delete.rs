use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{identity, roles};
use crate::arm::ArmId;
use crate::class::Class;
use crate::owner::Owner;
use crate::profile::admit::admit;
use crate::profile::desired::Grant;
use crate::profile::observed::{Child, Observed, ProfileRecord};
use crate::profile::plan::Plan;
use crate::profile::plan::children::named_identities;
use crate::profile::plan::identity::{made, made_for, may_delete, released, unused};
use crate::profile::plan::step::Step;
use crate::profile::{DeletionPolicy, Profile};

/// A profile that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// The profile.
    pub owner: Owner,
    /// Whether an identity that podid made is deleted or kept.
    pub policy: DeletionPolicy,
}

/// A profile that is being deleted, and what must be read for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeletionScope {
    /// See [`Deletion`].
    pub deletion: Deletion,
    /// The identity to read; `None` when its id is not known.
    pub identity: Option<ArmId>,
    /// Roles that may have been granted without an entry in the record.
    pub grants: Vec<Grant>,
}

/// What must be read before a profile is deleted. Where its class is gone or does not admit it any more,
/// nothing exists but what is in the record.
#[must_use]
pub fn deletion_scope(
    profile: &Profile,
    class: Option<&Class>,
    record: &ProfileRecord,
) -> DeletionScope {
    let desired = class.and_then(|class| admit(profile, class).ok());
    let owner = Owner {
        cluster: class.map_or_else(String::new, |class| class.cluster_name.clone()),
        namespace: profile.namespace.clone(),
        profile: profile.name.clone(),
        uid: profile.uid.clone(),
    };
    let recorded = record.identity.as_ref().map(|it| it.id.clone());
    let wanted = desired.as_ref().map(|it| it.identity.id.clone());
    DeletionScope {
        deletion: Deletion {
            owner,
            policy: profile.deletion_policy,
        },
        identity: wanted.or(recorded),
        grants: desired.map(|it| it.grants).unwrap_or_default(),
    }
}

/// The steps that delete everything of the profile but what its policy keeps: pods lose the identity, VMs
/// and scale sets lose it, roles are revoked, the identity is deleted.
///
/// It has no refusals: what is not the profile's own is left as it is.
#[must_use]
pub fn plan_deletion(deletion: &Deletion, observed: &Observed) -> Plan {
    let [binding, azure_identity] = children(&deletion.owner, observed);
    let identities = identities(deletion, observed);
    let mut used: BTreeSet<ArmId> = named_identities(observed).into_keys().collect();
    used.extend(identities.iter().map(|(id, _)| id.clone()));
    let made = identities.into_iter();
    let made = made.filter(|(_, made)| may_delete(*made, deletion.policy));
    let deleted: Vec<ArmId> = made.map(|(id, _)| id).collect();
    let mut steps = Vec::from_iter(binding);
    // By it the node daemons know that the identity is a profile's and not the nodes' own, which pods
    // with an exception may have. So it stays for as long as a target has the identity for the profile.
    steps.extend(used.into_iter().map(released));
    steps.extend(azure_identity);
    steps.extend(deleted.iter().cloned().map(unused));
    if deletion.policy == DeletionPolicy::Delete {
        steps.extend(roles::revoke_all(&deletion.owner, observed));
    }
    let deleted = deleted.into_iter();
    steps.extend(deleted.map(|id| Step::DeleteIdentity { id }));
    Plan {
        steps,
        held: Vec::new(),
    }
}

/// What stays in Azure of a profile that is deleted, because its policy says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// The identities that podid made.
    pub identities: Vec<ArmId>,
    /// Ids of their role assignments that podid made.
    pub role_assignments: Vec<ArmId>,
}

/// What [`plan_deletion`] leaves in Azure of what podid made; `None` when that is nothing.
#[must_use]
pub fn retained(deletion: &Deletion, observed: &Observed) -> Option<Retained> {
    let made = identities(deletion, observed).into_iter();
    let kept = made.filter(|(_, made)| *made && !may_delete(*made, deletion.policy));
    let identities: Vec<ArmId> = kept.map(|(id, _)| id).collect();
    let assignments = observed.record.role_assignments.iter();
    let assignments = assignments.filter(|assignment| assignment.created);
    (!identities.is_empty()).then(|| Retained {
        identities,
        role_assignments: assignments
            .map(|assignment| assignment.id.clone())
            .collect(),
    })
}

impl fmt::Display for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identities: Vec<String> = self.identities.iter().map(ToString::to_string).collect();
        let count = self.role_assignments.len();
        let assignments = if count == 1 {
            "role assignment"
        } else {
            "role assignments"
        };
        write!(
            f,
            "{} stays in Azure with {count} {assignments}, because identity.deletionPolicy is Retain",
            identities.join(", "),
        )
    }
}

/// Deleting the binding, by which pods lose the identity, and the AzureIdentity.
pub(super) fn children(owner: &Owner, observed: &Observed) -> [Option<Step>; 2] {
    let (namespace, name) = (owner.namespace.clone(), owner.profile.clone());
    let binding = observed.binding.as_ref().is_some_and(is_own);
    let azure_identity = observed.azure_identity.as_ref().is_some_and(is_own);
    [
        binding.then(|| Step::DeleteBinding {
            namespace: namespace.clone(),
            name: name.clone(),
        }),
        azure_identity.then_some(Step::DeleteAzureIdentity { namespace, name }),
    ]
}

fn is_own<T>(child: &Child<T>) -> bool {
    child.owned
}

/// The profile's identities, and whether podid made them: the one that Azure shows with the profile's tags,
/// and those in the record.
fn identities(deletion: &Deletion, observed: &Observed) -> Vec<(ArmId, bool)> {
    let owner = &deletion.owner;
    let recorded = observed.record.identity.as_ref();
    let remembered = recorded.map(|it| (it.id.clone(), made(it, owner, observed)));
    let other = observed.identity.as_ref().filter(|shown| {
        let is_recorded = recorded.is_some_and(|recorded| recorded.id == shown.id);
        !is_recorded && made_for(shown, owner, &observed.record)
    });
    let other = other.map(|shown| (shown.id.clone(), true));
    let known: Vec<(ArmId, bool)> = other.into_iter().chain(remembered).collect();
    let begun = identity::begun(owner, observed);
    let unknown = begun.filter(|id| known.iter().all(|(known, _)| known != *id));
    let unknown: Vec<(ArmId, bool)> = unknown.map(|id| (id.clone(), true)).collect();
    known.into_iter().chain(unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::admit::tests::{access, class, profile};
    use crate::profile::observed::RecordedIdentity;

    fn record() -> ProfileRecord {
        ProfileRecord {
            identity: Some(RecordedIdentity {
                id: crate::testing::id("recorded"),
                client_id: String::new(),
                principal_id: String::new(),
                tenant_id: String::new(),
                created: true,
            }),
            ..ProfileRecord::default()
        }
    }

    #[test]
    fn what_podid_made_and_keeps_is_named() {
        let observed = Observed {
            record: record(),
            ..Observed::default()
        };
        let mut deletion = deletion_scope(&profile(), Some(&class()), &record()).deletion;
        deletion.policy = DeletionPolicy::Delete;
        assert_eq!(retained(&deletion, &observed), None);
        deletion.policy = DeletionPolicy::Retain;
        let kept = retained(&deletion, &observed)
            .expect("the identity")
            .to_string();
        let id = crate::testing::id("recorded");
        let words =
            "stays in Azure with 0 role assignments, because identity.deletionPolicy is Retain";
        assert_eq!(kept, format!("{id} {words}"));
        assert_eq!(retained(&deletion, &Observed::default()), None);
    }

    #[test]
    fn an_admitted_profile_is_looked_for_where_it_wanted_to_be() {
        let scope = deletion_scope(&profile(), Some(&class()), &record());
        let desired = admit(&profile(), &class()).expect("admitted");
        assert_eq!(scope.identity, Some(desired.identity.id));
        assert_eq!(scope.grants, desired.grants);
        assert_eq!(scope.deletion.owner, desired.owner);
    }

    #[test]
    fn without_a_class_that_admits_it_only_the_record_counts() {
        let mut refused = profile();
        refused.access = vec![access("Owner", "/subscriptions/s")];
        for (profile, class, cluster) in [(profile(), None, ""), (refused, Some(class()), "c")] {
            let scope = deletion_scope(&profile, class.as_ref(), &record());
            assert_eq!(scope.identity, Some(crate::testing::id("recorded")));
            assert!(scope.grants.is_empty());
            assert_eq!(scope.deletion.owner.cluster, cluster);
            assert_eq!(scope.deletion.owner.uid, profile.uid);
        }
        let nothing = deletion_scope(&profile(), None, &ProfileRecord::default());
        assert_eq!(nothing.identity, None);
    }
}
