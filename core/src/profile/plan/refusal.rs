use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::profile::ConditionType;
use crate::profile::adoption::IdentityUser;
use crate::role::remedy_for_unknown;

/// Why a plan is not carried out: something in Azure or in the cluster is not podid's to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "refusal", rename_all_fields = "camelCase")]
pub enum PlanRefusal {
    /// The identity carries the tags of another profile.
    OwnedByAnother {
        /// ARM id of the identity.
        id: ArmId,
        /// The owner that its tags name.
        owner: String,
    },
    /// The identity exists, has no tags of podid, and the profile does not allow to adopt it.
    NotOurs {
        /// ARM id of the identity.
        id: ArmId,
    },
    /// The identity was not made by podid, and another namespace uses it.
    AdoptedByAnother {
        /// ARM id of the identity.
        id: ArmId,
        /// What uses it there.
        user: IdentityUser,
    },
    /// The identity does not exist, and another profile has asked for it first.
    TakenByAnother {
        /// ARM id of the identity.
        id: ArmId,
        /// That profile.
        user: IdentityUser,
    },
    /// The identity does not exist, and its name is one that podid gives to another profile that names none.
    NameOfAnother {
        /// ARM id of the identity.
        id: ArmId,
    },
    /// The profile adopts an identity that does not exist.
    NothingToAdopt {
        /// ARM id of the identity.
        id: ArmId,
    },
    /// The identity is in another tenant than that of the class.
    WrongTenant {
        /// ARM id of the identity.
        id: ArmId,
        /// Its tenant.
        tenant: String,
        /// The class's tenant.
        wanted: String,
    },
    /// There is no role of that name.
    UnknownRole {
        /// Field that names it.
        field: String,
        /// The name.
        role: String,
        /// Where it was looked up.
        scope: ArmId,
    },
    /// An object of the profile's name exists and belongs to somebody else.
    ForeignChild {
        /// Kind of the object.
        kind: &'static str,
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
        /// The GitOps object that applies it, if one does.
        applied_by: Option<String>,
    },
}

const OWNED_BY_ANOTHER: &str = "IdentityOwnedByAnother";
const ADOPTED_BY_ANOTHER: &str = "IdentityAdoptedByAnother";

/// Whether a reason says that another profile keeps this one from its identity, which ends with the other.
#[must_use]
pub fn is_kept_by_another(reason: &str) -> bool {
    [OWNED_BY_ANOTHER, ADOPTED_BY_ANOTHER].contains(&reason)
}

impl PlanRefusal {
    /// Field of the profile (or class) that causes it.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            Self::OwnedByAnother { .. }
            | Self::NotOurs { .. }
            | Self::AdoptedByAnother { .. }
            | Self::TakenByAnother { .. }
            | Self::NameOfAnother { .. }
            | Self::NothingToAdopt { .. } => "spec.identity".to_owned(),
            Self::WrongTenant { .. } => "class.spec.tenantId".to_owned(),
            Self::UnknownRole { field, .. } => format!("{field}.role"),
            Self::ForeignChild { .. } => "metadata.name".to_owned(),
        }
    }

    /// Reason in conditions, and value of a metrics label; the set is closed.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::OwnedByAnother { .. } | Self::TakenByAnother { .. } => OWNED_BY_ANOTHER,
            Self::NotOurs { .. } => "IdentityExists",
            Self::AdoptedByAnother { .. } => ADOPTED_BY_ANOTHER,
            Self::NameOfAnother { .. } => "IdentityNameOfAnother",
            Self::NothingToAdopt { .. } => "IdentityNotFound",
            Self::WrongTenant { .. } => "WrongTenant",
            Self::UnknownRole { .. } => "RoleNotFound",
            Self::ForeignChild { .. } => "ObjectExists",
        }
    }

    /// The condition that it makes false.
    #[must_use]
    pub fn condition(&self) -> ConditionType {
        match self {
            Self::OwnedByAnother { .. }
            | Self::NotOurs { .. }
            | Self::AdoptedByAnother { .. }
            | Self::TakenByAnother { .. }
            | Self::NameOfAnother { .. }
            | Self::NothingToAdopt { .. }
            | Self::WrongTenant { .. } => ConditionType::IdentityReady,
            Self::UnknownRole { .. } => ConditionType::AccessReady,
            Self::ForeignChild { .. } => ConditionType::BindingReady,
        }
    }

    /// Whether it may end without an edit of the profile: the identity to adopt may be created later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NothingToAdopt { .. })
    }
}

impl fmt::Display for PlanRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnedByAnother { id, owner } => write!(
                f,
                "identity {id} belongs to {owner}, as its tags say; choose another identity, or \
                 have that profile deleted, and then the identity if it was kept"
            ),
            Self::NotOurs { id } => write!(
                f,
                "identity {id} exists and was not made by podid for this profile; set \
                 spec.identity.creationPolicy to Adopt or CreateOrAdopt to use it, or choose \
                 another spec.identity.name"
            ),
            Self::AdoptedByAnother { id, user } => write!(
                f,
                "identity {id} is used by {user} of another namespace, which had it first; choose another \
                 identity, or let the platform team set limits.allowSharedAdoption in the class"
            ),
            Self::TakenByAnother { id, user } => write!(
                f,
                "identity {id} is made for {user}, which asked for it first; choose another spec.identity.name"
            ),
            Self::NameOfAnother { id } => write!(
                f,
                "identity {id} has a name of the form <cluster>-<namespace>-<profile>-<ten hexadecimal digits>, which \
                 podid gives to profiles that name no identity, and this is not this profile's; choose another \
                 spec.identity.name, or leave it out"
            ),
            Self::NothingToAdopt { id } => write!(
                f,
                "identity {id} does not exist and is to be adopted; create it, or correct \
                 spec.identity"
            ),
            Self::WrongTenant { id, tenant, wanted } => write!(
                f,
                "identity {id} lives in tenant {tenant}, and the class says {wanted}; correct \
                 spec.tenantId of the class, or choose an identity of that tenant"
            ),
            Self::UnknownRole { field, role, scope } => write!(
                f,
                "{field}.role: role {role:?} does not exist at {scope}; {}",
                remedy_for_unknown(role)
            ),
            Self::ForeignChild {
                kind,
                namespace,
                name,
                applied_by,
            } => {
                write!(f, "{kind} {namespace}/{name} exists and ")?;
                match applied_by {
                    Some(by) => write!(f, "is applied by {by}; remove it there")?,
                    None => f.write_str("does not belong to this profile; delete it")?,
                }
                f.write_str(", or give the profile another name")
            }
        }
    }
}
