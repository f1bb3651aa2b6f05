//! Whether the managed identity that an AzureIdentity names may be served through it.
//!
//! Whoever may write AzureIdentities names any managed identity in one. So the operator reads the
//! identity in Azure before it assigns it: one that carries the tags of a profile is that profile's,
//! and is served through other objects only where the class of that profile allows it. An
//! AzureIdentity with an owner reference to a profile is accepted only for the identity in the status of
//! that profile, because anybody can write an owner reference.

mod lookup_history;

use serde::Serialize;

use crate::arm::ArmId;
use crate::assigned_identity::AssignmentFailure;
use crate::binding::hand_written::{BEYOND_CLASS, NONE_SERVED, POD_BREAKS_RULE};
use crate::binding::{AzureIdentity, HandWrittenLimits};
use crate::class::Class;
use crate::object_key::ObjectKey;
use crate::owner::{Origin, Owner};
use crate::target::{TargetError, TargetErrorClass};

pub use lookup_history::LookupHistory;

/// What is known of a managed identity in Azure. `O` describes the owner that its tags name: the tags
/// themselves as they were read, or compared with this cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum IdentityLookup<O = TaggedOwner> {
    /// It could not be read yet, for a reason that may be temporary.
    NotYet(AssignmentFailure),
    /// Azure has no identity of this id.
    Absent,
    /// The operator may not read it, or the id is of no place that exists: Azure's text.
    Unreadable(String),
    /// It exists.
    Found {
        /// Its client id.
        client_id: String,
        /// The profile that its tags name.
        owner: Option<O>,
    },
}

impl<O> IdentityLookup<O> {
    /// The result of a lookup that ended with an error.
    #[must_use]
    pub fn failed(error: &TargetError, identity: &ArmId) -> Self {
        use TargetErrorClass::{Forbidden, Invalid, NotFound};
        match error.class {
            Forbidden | NotFound | Invalid => Self::Unreadable(error.to_string()),
            _ => Self::NotYet(AssignmentFailure {
                reason: error.reason().to_owned(),
                message: format!(
                    "identity {identity} cannot be read: {}. {error}",
                    error.next_step
                ),
            }),
        }
    }

    /// The same lookup with another description of the owner.
    pub fn map_owner<P>(self, map: impl FnOnce(O) -> P) -> IdentityLookup<P> {
        match self {
            Self::NotYet(failure) => IdentityLookup::NotYet(failure),
            Self::Absent => IdentityLookup::Absent,
            Self::Unreadable(text) => IdentityLookup::Unreadable(text),
            Self::Found { client_id, owner } => IdentityLookup::Found {
                client_id,
                owner: owner.map(map),
            },
        }
    }
}

/// The profile that the tags of an identity name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaggedOwner {
    /// Cluster, profile and uid from the tags.
    pub owner: Owner,
    /// Whether it is a profile of this cluster that exists.
    pub lives_here: bool,
    /// Whether the class of that profile allows hand-written AzureIdentities (`limits.allowHandWritten`).
    pub shared: bool,
}

impl TaggedOwner {
    /// Compares the tags with this cluster. `profile` is the uid and the class of the profile that has the
    /// namespace and name of the tags, if there is one.
    #[must_use]
    pub fn of(owner: Owner, profile: Option<(&str, Option<&Class>)>) -> Self {
        let profile = profile.filter(|(uid, _)| *uid == owner.uid);
        let class = profile.and_then(|(_, class)| class);
        let ours = class.is_some_and(|class| class.cluster_name == owner.cluster);
        Self {
            lives_here: profile.is_some() && (class.is_none() || ours),
            shared: ours && class.is_some_and(|class| class.limits.allow_hand_written),
            owner,
        }
    }
}

/// Whether an AzureIdentity may be assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Verification {
    /// It may be assigned.
    Verified,
    /// Not known yet; with the reason, if a lookup failed. Meanwhile nothing is added to a VM or scale
    /// set, and nothing removed.
    Pending(Option<AssignmentFailure>),
    /// It is not served until a person acts.
    Refused(AssignmentFailure),
}

/// Reasons that podid itself has to refuse an identity.
const OWNED: &str = "OwnedByProfile";
const MISMATCH: &str = "ClientIdMismatch";
const ABSENT: &str = "IdentityNotFound";
const UNREADABLE: &str = "IdentityNotReadable";

impl Verification {
    /// Whether `failure` is of a [`Verification::Refused`], and not of a change of a VM or scale set.
    #[must_use]
    pub fn refuses_with(failure: &AssignmentFailure) -> bool {
        let own = [
            OWNED,
            MISMATCH,
            ABSENT,
            UNREADABLE,
            NONE_SERVED,
            BEYOND_CLASS,
            POD_BREAKS_RULE,
        ];
        own.contains(&failure.reason.as_str())
    }
}

/// Whether an AzureIdentity is a profile's own, so that its identity need not be looked up in Azure.
/// `recorded` is as for [`verify`].
#[must_use]
pub fn is_made_by_profile(identity: &AzureIdentity, recorded: Option<&ArmId>) -> bool {
    identity.origin == Origin::Profile && recorded == Some(&identity.resource_id)
}

/// Verifies an AzureIdentity of type 0. `recorded` is the identity that the profile of its namespace
/// and name has in its status.
#[must_use]
pub fn verify(
    identity: &AzureIdentity,
    recorded: Option<&ArmId>,
    known: Option<&IdentityLookup>,
    limits: HandWrittenLimits<'_>,
) -> Verification {
    if is_made_by_profile(identity, recorded) {
        return Verification::Verified;
    }
    let refusal = limits.refusal(identity);
    if let (Origin::HandWritten, Some(refusal)) = (identity.origin, &refusal) {
        return Verification::Refused(refusal.clone());
    }
    match known {
        None => Verification::Pending(None),
        Some(IdentityLookup::NotYet(trouble)) => Verification::Pending(Some(trouble.clone())),
        // The profile has just created it, or creates it again: its own reconciliation reports that.
        Some(IdentityLookup::Absent) if identity.origin == Origin::Profile => {
            Verification::Pending(None)
        }
        Some(IdentityLookup::Absent) => Verification::Refused(absent(identity)),
        Some(IdentityLookup::Unreadable(text)) => Verification::Refused(unreadable(identity, text)),
        Some(IdentityLookup::Found { client_id, owner }) => {
            // Whoever writes an owner reference to a profile does not get past the limits by that.
            let is_profiles = owner.as_ref().is_some_and(|owner| is_own(identity, owner));
            match verify_found(identity, client_id, owner.as_ref()) {
                Verification::Verified if !is_profiles => {
                    refusal.map_or(Verification::Verified, Verification::Refused)
                }
                verification => verification,
            }
        }
    }
}

fn verify_found(
    identity: &AzureIdentity,
    client_id: &str,
    owner: Option<&TaggedOwner>,
) -> Verification {
    let foreign = owner.filter(|owner| !owner.shared && !is_own(identity, owner));
    if let Some(foreign) = foreign {
        return Verification::Refused(owned(identity, foreign));
    }
    if !identity.client_id.eq_ignore_ascii_case(client_id) {
        return Verification::Refused(mismatch(identity, client_id));
    }
    Verification::Verified
}

/// Whether the AzureIdentity is the child of the very profile that the tags name.
fn is_own(identity: &AzureIdentity, tagged: &TaggedOwner) -> bool {
    let owner = &tagged.owner;
    let tagged_profile = ObjectKey::new(&owner.namespace, &owner.profile);
    tagged.lives_here && identity.profile() == Some(tagged_profile)
}

fn owned(identity: &AzureIdentity, tagged: &TaggedOwner) -> AssignmentFailure {
    let (id, owner) = (&identity.resource_id, &tagged.owner);
    let (namespace, profile) = (&owner.namespace, &owner.profile);
    let remedy = match tagged.lives_here {
        true => format!(
            "have the pods bound by PodIdentityProfile {namespace}/{profile}, or let the platform \
             team set limits.allowHandWritten in its class"
        ),
        false => {
            "use another identity, or remove its podid-* tags in Azure if no profile uses it any \
                  more"
                .to_owned()
        }
    };
    AssignmentFailure {
        reason: OWNED.to_owned(),
        message: format!(
            "AzureIdentity {} was written by hand and names {id}, which by its tags in Azure belongs to \
             {owner}; {remedy}",
            identity.full_name()
        ),
    }
}

fn mismatch(identity: &AzureIdentity, right: &str) -> AssignmentFailure {
    let (id, wrong) = (&identity.resource_id, &identity.client_id);
    AssignmentFailure {
        reason: MISMATCH.to_owned(),
        message: format!(
            "AzureIdentity {} has clientID {wrong:?}, and {id} has {right}; correct spec.clientID or \
             spec.resourceID",
            identity.full_name()
        ),
    }
}

fn absent(identity: &AzureIdentity) -> AssignmentFailure {
    AssignmentFailure {
        reason: ABSENT.to_owned(),
        message: format!(
            "AzureIdentity {} names {}, which does not exist in Azure; create it, or correct \
             spec.resourceID",
            identity.full_name(),
            identity.resource_id
        ),
    }
}

fn unreadable(identity: &AzureIdentity, text: &str) -> AssignmentFailure {
    AssignmentFailure {
        reason: UNREADABLE.to_owned(),
        message: format!(
            "AzureIdentity {} names {}, which the operator cannot read and so does not assign; grant the \
             operator's identity Managed Identity Operator on it, or correct spec.resourceID. {text}",
            identity.full_name(),
            identity.resource_id
        ),
    }
}

#[cfg(test)]
mod tests;
