use std::collections::BTreeMap;

use super::{children, roles};
use crate::arm::ArmId;
use crate::names;
use crate::owner::Owner;
use crate::profile::adoption::Taking;
use crate::profile::desired::Desired;
use crate::profile::observed::{ManagedIdentity, Observed, ProfileRecord, RecordedIdentity};
use crate::profile::plan::refusal::PlanRefusal;
use crate::profile::plan::step::{Step, UsedBy};
use crate::profile::{CreationPolicy, DeletionPolicy};

/// The owner of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// podid made it for this profile.
    Ours,
    /// podid made it for a profile of the same name, in a cluster of the same name, that is not this profile:
    /// an earlier one, or that of another cluster.
    SameName(String),
    /// It carries the tags of another profile.
    Another(String),
    /// It has no tags of podid.
    Nobody,
}

/// The owner of an identity by its tags, or by the record when somebody has removed the tags.
pub(super) fn ownership(
    identity: &ManagedIdentity,
    owner: &Owner,
    record: &ProfileRecord,
) -> Ownership {
    if let Some(tagged) = Owner::from_tags(&identity.tags) {
        let same_name = [&tagged.cluster, &tagged.namespace, &tagged.profile]
            == [&owner.cluster, &owner.namespace, &owner.profile];
        let words = format!("{tagged} (uid {})", tagged.uid);
        // The uid alone decides: the cluster's name is not known once the class is gone.
        let same_uid = !owner.uid.is_empty() && tagged.uid == owner.uid;
        return match (same_uid, same_name) {
            (true, _) => Ownership::Ours,
            (false, true) => Ownership::SameName(words),
            (false, false) => Ownership::Another(words),
        };
    }
    if recorded(identity, record).is_some_and(|recorded| recorded.created) {
        Ownership::Ours
    } else {
        Ownership::Nobody
    }
}

/// What the record holds of this identity, and not of one that was under its id before.
fn recorded<'a>(
    identity: &ManagedIdentity,
    record: &'a ProfileRecord,
) -> Option<&'a RecordedIdentity> {
    record.identity.as_ref().filter(|recorded| {
        recorded.id == identity.id
            && recorded
                .principal_id
                .eq_ignore_ascii_case(&identity.principal_id)
    })
}

/// Whether podid made the identity for this owner, and so may delete it.
#[must_use]
pub fn made_for(identity: &ManagedIdentity, owner: &Owner, record: &ProfileRecord) -> bool {
    ownership(identity, owner, record) == Ownership::Ours
}

/// Whether podid made the identity in the record. The tags that Azure shows now count before the record,
/// because somebody else may have created it anew or taken it over. Where Azure does not show the
/// identity, the record decides: the identity may be too new to be shown. Before a deletion the tags are
/// read again.
pub(super) fn made(recorded: &RecordedIdentity, owner: &Owner, observed: &Observed) -> bool {
    match observed.shown(&recorded.id) {
        Some(shown) => made_for(shown, owner, &observed.record),
        None => recorded.created,
    }
}

/// The identities of which nothing is recorded but that their creation was begun, unless they are another's.
pub(super) fn begun<'a>(
    owner: &'a Owner,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a ArmId> {
    let record = &observed.record;
    let is_ours = |id: &ArmId| {
        let shown = observed.shown(id);
        shown.is_none_or(|shown| made_for(shown, owner, record))
    };
    record.creating.iter().filter(move |id| is_ours(id))
}

/// Steps that make the identity as desired.
pub(super) fn steps(desired: &Desired, observed: &Observed) -> Result<Vec<Step>, PlanRefusal> {
    let wanted = &desired.identity;
    let adopts = wanted.creation != CreationPolicy::Create;
    let Some(identity) = &observed.identity else {
        return create(desired, observed).map(|step| vec![step]);
    };
    if !identity.tenant_id.eq_ignore_ascii_case(&desired.tenant_id) {
        return Err(PlanRefusal::WrongTenant {
            id: wanted.id.clone(),
            tenant: identity.tenant_id.clone(),
            wanted: desired.tenant_id.clone(),
        });
    }
    match ownership(identity, &desired.owner, &observed.record) {
        Ownership::Ours => Ok(retag(desired, identity)),
        Ownership::SameName(_) if adopts => Ok(retag(desired, identity)),
        Ownership::Nobody if adopts => adopt(desired, observed, identity),
        Ownership::SameName(owner) | Ownership::Another(owner) => {
            Err(PlanRefusal::OwnedByAnother {
                id: wanted.id.clone(),
                owner,
            })
        }
        Ownership::Nobody => Err(PlanRefusal::NotOurs {
            id: wanted.id.clone(),
        }),
    }
}

fn create(desired: &Desired, observed: &Observed) -> Result<Step, PlanRefusal> {
    let wanted = &desired.identity;
    let id = wanted.id.clone();
    if wanted.creation == CreationPolicy::Adopt {
        return Err(PlanRefusal::NothingToAdopt { id });
    }
    if is_name_of_another(&id, &desired.owner) {
        return Err(PlanRefusal::NameOfAnother { id });
    }
    match observed.taken_by.clone() {
        Some(user) => Err(PlanRefusal::TakenByAnother { id, user }),
        None => Ok(Step::CreateIdentity {
            id,
            location: wanted.location.clone(),
            tags: wanted.tags.clone(),
        }),
    }
}

/// Whether podid would give the identity's name to another profile: who takes it first would keep that one from its
/// identity.
fn is_name_of_another(id: &ArmId, owner: &Owner) -> bool {
    let own = names::identity(&owner.cluster, &owner.namespace, &owner.profile);
    names::is_of_derived_identity(id.name(), &owner.cluster)
        && !id.name().eq_ignore_ascii_case(&own)
}

/// How the profile comes to its identity, if its tags do not say whose it is, so that it has to be known who uses it.
#[must_use]
pub fn taking(desired: &Desired, observed: &Observed) -> Option<Taking> {
    let wanted = &desired.identity;
    let adopts = wanted.creation != CreationPolicy::Create && !wanted.shared;
    let Some(identity) = &observed.identity else {
        return (wanted.creation != CreationPolicy::Adopt).then_some(Taking::Creates);
    };
    let owner = ownership(identity, &desired.owner, &observed.record);
    (owner == Ownership::Nobody && adopts).then_some(Taking::Adopts)
}

/// Adoption only changes the record: an identity that somebody else manages is left as it is.
fn adopt(
    desired: &Desired,
    observed: &Observed,
    identity: &ManagedIdentity,
) -> Result<Vec<Step>, PlanRefusal> {
    let wanted = &desired.identity;
    if let (Some(user), false) = (&observed.taken_by, wanted.shared) {
        return Err(PlanRefusal::AdoptedByAnother {
            id: wanted.id.clone(),
            user: user.clone(),
        });
    }
    let step = Step::AdoptIdentity {
        id: identity.id.clone(),
    };
    Ok(match recorded(identity, &observed.record) {
        Some(_) => Vec::new(),
        None => vec![step],
    })
}

/// Writes the tags. A write replaces all tags, so it includes those that others have set.
fn retag(desired: &Desired, identity: &ManagedIdentity) -> Vec<Step> {
    let wanted = &desired.identity.tags;
    if wanted
        .iter()
        .all(|(key, value)| identity.tag(key) == Some(value))
    {
        return Vec::new();
    }
    let foreign = identity
        .tags
        .iter()
        .filter(|(key, _)| !wanted.keys().any(|ours| ours.eq_ignore_ascii_case(key)));
    let tags: BTreeMap<String, String> = foreign
        .chain(wanted)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    vec![Step::UpdateTags {
        id: desired.identity.id.clone(),
        location: identity.location.clone(),
        tags,
    }]
}

/// Steps that end the use of the identities that the profile used before, when it now names another, and
/// delete the recorded one if podid made it.
pub(super) fn retire(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let former = children::former_identities(desired, observed);
    let mut steps: Vec<Step> = former.into_keys().map(released).collect();
    if !steps.is_empty() {
        let none = BTreeMap::new();
        steps.push(children::apply_azure_identity(desired, observed, none));
    }
    let recorded = observed.record.identity.as_ref();
    let recorded = recorded.filter(|recorded| recorded.id != desired.identity.id);
    if let Some(recorded) = recorded {
        let made = made(recorded, &desired.owner, observed);
        let deleted = may_delete(made, desired.deletion_policy).then(|| recorded.id.clone());
        steps.extend(deleted.clone().map(unused));
        steps.extend(roles::revoke_former(desired, observed));
        steps.extend(deleted.map(|id| Step::DeleteIdentity { id }));
    }
    steps.extend(delete_begun(desired, observed));
    steps
}

fn delete_begun(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let recorded = observed.record.identity.as_ref().map(|it| &it.id);
    let is_other = |id: &ArmId| *id != desired.identity.id && Some(id) != recorded;
    let begun = begun(&desired.owner, observed).filter(|id| is_other(id));
    let deleted = begun.filter(|_| may_delete(true, desired.deletion_policy));
    let steps = deleted
        .cloned()
        .flat_map(|id| [unused(id.clone()), Step::DeleteIdentity { id }]);
    steps.collect()
}

/// Waits until no pod of the profile has the identity any more.
pub(super) fn released(id: ArmId) -> Step {
    let used_by = UsedBy::Profile;
    Step::AwaitUnassigned { id, used_by }
}

/// Waits until nobody has the identity any more, as before it is deleted: a VM or scale set must not keep the
/// id of something that is gone.
pub(super) fn unused(id: ArmId) -> Step {
    let used_by = UsedBy::Anyone;
    Step::AwaitUnassigned { id, used_by }
}

/// Whether an identity is deleted with its profile.
pub(super) fn may_delete(made: bool, policy: DeletionPolicy) -> bool {
    made && policy == DeletionPolicy::Delete
}
