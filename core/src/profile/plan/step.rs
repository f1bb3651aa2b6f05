use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::net_raw::NetRaw;
use crate::profile::ConditionType;
use crate::profile::desired::Grantee;
use crate::profile::observed::BindingFields;
use crate::role::Role;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all_fields = "camelCase")]
pub enum Step {
    /// Creates the identity in Azure.
    CreateIdentity {
        /// Its ARM id.
        id: ArmId,
        /// Its region.
        location: String,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Uses an existing identity; it is not changed, and never deleted.
    AdoptIdentity {
        /// Its ARM id.
        id: ArmId,
    },
    /// Writes the tags of an identity that podid made.
    UpdateTags {
        /// Its ARM id.
        id: ArmId,
        /// Its region, which a write must repeat.
        location: String,
        /// All its tags afterwards.
        tags: BTreeMap<String, String>,
    },
    /// Grants the profile's identity a role.
    GrantRole(RoleGrant),
    /// Grants the kubelet identity a role, so that VMs and scale sets may have the profile's identity.
    GrantNodeRole(RoleGrant),
    /// Writes the AzureIdentity, through which nodes find the identity.
    ApplyAzureIdentity {
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
        /// ARM id of the identity.
        resource_id: ArmId,
        /// Client id of the identity; `None` until Azure has given it one.
        client_id: Option<String>,
        /// Object id of its service principal; `None` until Azure has given it one.
        principal_id: Option<String>,
        /// What is asked of the pods that use it.
        net_raw: NetRaw,
        /// See [`former`](crate::profile::observed::AzureIdentityFields::former).
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        former: BTreeMap<ArmId, String>,
    },
    /// Writes the AzureIdentityBinding, which binds pods to the AzureIdentity.
    ApplyBinding {
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
        /// Its fields.
        binding: BindingFields,
    },
    /// Revokes a role that podid granted.
    RevokeRole {
        /// ARM id of the role assignment.
        assignment: ArmId,
        /// The role.
        role: Role,
        /// Where it holds.
        scope: ArmId,
        /// Object id of the principal.
        principal_id: String,
    },
    /// Deletes the AzureIdentityBinding: pods lose the identity.
    DeleteBinding {
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
    },
    /// Deletes the AzureIdentity.
    DeleteAzureIdentity {
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
    },
    /// Waits until no VM or scale set has the identity any more.
    AwaitUnassigned {
        /// ARM id of the identity.
        id: ArmId,
        /// For whom it must not have it.
        used_by: UsedBy,
    },
    /// Deletes the identity in Azure.
    DeleteIdentity {
        /// Its ARM id.
        id: ArmId,
    },
}

/// Whose pods use an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum UsedBy {
    /// The profile's: those that its own binding gives the identity. Others may have it through another
    /// profile or a binding that was written by hand, for as long as they like.
    Profile,
    /// Anybody's.
    Anyone,
}

/// A role to be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleGrant {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: ArmId,
    /// Who gets it.
    pub to: Grantee,
    /// Description of the role assignment, by which podid recognises its own.
    pub description: String,
}

impl Step {
    /// The condition that is false when the step fails.
    #[must_use]
    pub fn condition(&self) -> ConditionType {
        match self {
            Self::CreateIdentity { .. }
            | Self::AdoptIdentity { .. }
            | Self::UpdateTags { .. }
            | Self::AwaitUnassigned { .. }
            | Self::DeleteIdentity { .. } => ConditionType::IdentityReady,
            Self::GrantRole(_) | Self::GrantNodeRole(_) | Self::RevokeRole { .. } => {
                ConditionType::AccessReady
            }
            Self::ApplyAzureIdentity { .. }
            | Self::ApplyBinding { .. }
            | Self::DeleteBinding { .. }
            | Self::DeleteAzureIdentity { .. } => ConditionType::BindingReady,
        }
    }

    /// The step as what was done, as `created identity shop-cart in …`. `to_string` says what to do.
    #[must_use]
    pub fn done(&self) -> String {
        let text = self.to_string();
        let (_imperative, object) = text.split_once(' ').unwrap_or_default();
        format!("{} {object}", self.past_tense())
    }

    fn past_tense(&self) -> &'static str {
        match self {
            Self::CreateIdentity { .. } => "created",
            Self::AdoptIdentity { .. } => "adopted",
            Self::UpdateTags { .. } => "updated",
            Self::GrantRole(_) | Self::GrantNodeRole(_) => "granted",
            Self::ApplyAzureIdentity { .. } | Self::ApplyBinding { .. } => "applied",
            Self::RevokeRole { .. } => "revoked",
            Self::DeleteBinding { .. }
            | Self::DeleteAzureIdentity { .. }
            | Self::DeleteIdentity { .. } => "deleted",
            Self::AwaitUnassigned { .. } => "waited",
        }
    }

    /// Value of a metrics label; the set is closed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateIdentity { .. } => "CreateIdentity",
            Self::AdoptIdentity { .. } => "AdoptIdentity",
            Self::UpdateTags { .. } => "UpdateTags",
            Self::GrantRole(_) => "GrantRole",
            Self::GrantNodeRole(_) => "GrantNodeRole",
            Self::ApplyAzureIdentity { .. } => "ApplyAzureIdentity",
            Self::ApplyBinding { .. } => "ApplyBinding",
            Self::RevokeRole { .. } => "RevokeRole",
            Self::DeleteBinding { .. } => "DeleteBinding",
            Self::DeleteAzureIdentity { .. } => "DeleteAzureIdentity",
            Self::AwaitUnassigned { .. } => "AwaitUnassigned",
            Self::DeleteIdentity { .. } => "DeleteIdentity",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateIdentity { id, location, .. } => {
                write!(
                    f,
                    "create identity {} in {location}, {}",
                    id.name(),
                    place(id)
                )
            }
            Self::AdoptIdentity { id } => {
                write!(f, "adopt existing identity {}, {}", id.name(), place(id))
            }
            Self::UpdateTags { id, .. } => {
                write!(f, "update the tags of identity {}", id.name())
            }
            Self::GrantRole(access) => write!(f, "grant the identity {access}"),
            Self::GrantNodeRole(access) => write!(f, "grant the kubelet identity {access}"),
            Self::ApplyAzureIdentity {
                namespace,
                name,
                resource_id,
                client_id,
                former,
                ..
            } => {
                let id = resource_id.name();
                write!(f, "apply AzureIdentity {namespace}/{name} for {id} with ")?;
                match client_id {
                    Some(client_id) => write!(f, "client id {client_id}")?,
                    None => f.write_str("the client id that Azure gives it")?,
                }
                let former: Vec<&str> = former.keys().map(ArmId::name).collect();
                match former.is_empty() {
                    true => Ok(()),
                    false => write!(f, ", formerly for {}", former.join(" and ")),
                }
            }
            Self::ApplyBinding {
                namespace,
                name,
                binding,
            } => {
                write!(
                    f,
                    "apply AzureIdentityBinding {namespace}/{name}: {binding}"
                )
            }
            Self::RevokeRole {
                role,
                scope,
                principal_id,
                ..
            } => {
                write!(f, "revoke {role} on {scope} from principal {principal_id}")
            }
            Self::DeleteBinding { namespace, name } => {
                write!(f, "delete AzureIdentityBinding {namespace}/{name}")
            }
            Self::DeleteAzureIdentity { namespace, name } => {
                write!(f, "delete AzureIdentity {namespace}/{name}")
            }
            Self::AwaitUnassigned { id, used_by } => {
                let id = id.name();
                write!(f, "wait until no VM or scale set has identity {id}")?;
                match used_by {
                    UsedBy::Profile => f.write_str(" for pods of this profile"),
                    UsedBy::Anyone => Ok(()),
                }
            }
            Self::DeleteIdentity { id } => {
                write!(f, "delete identity {}, {}", id.name(), place(id))
            }
        }
    }
}

impl fmt::Display for RoleGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.role, self.scope)
    }
}

impl fmt::Display for BindingFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pods with aadpodidbinding={} use {}",
            self.selector, self.identity
        )?;
        if self.service_accounts.is_empty() {
            return Ok(());
        }
        let accounts: Vec<&str> = self.service_accounts.iter().map(String::as_str).collect();
        write!(
            f,
            ", if they run as service account {}",
            accounts.join(" or ")
        )
    }
}

fn place(id: &ArmId) -> String {
    format!(
        "resource group {}",
        id.resource_group().unwrap_or("unknown")
    )
}
