//! What Azure and the cluster have for one profile, and what its status records.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use crate::arm::ArmId;
use crate::net_raw::NetRaw;
use crate::profile::adoption::IdentityUser;

/// Everything a plan is made from, beside the desired state. [`Observed::default`] is an empty Azure and
/// cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The identity of the desired id, if there is one.
    pub identity: Option<ManagedIdentity>,
    /// The other identities that the record names, as far as Azure shows them.
    pub former: Vec<ManagedIdentity>,
    /// Who keeps the profile from the identity, if its tags do not say whose it is.
    pub taken_by: Option<IdentityUser>,
    /// Role assignments of every principal that a plan may concern, at the scopes that the desired
    /// state or the record name. Others have no effect.
    pub role_assignments: Vec<RoleAssignment>,
    /// Roles that only Azure can find, by their name in lower case: the GUID, or `None` when
    /// there is no such role. A name that is absent was not looked up.
    pub roles: BTreeMap<String, Option<Uuid>>,
    /// The AzureIdentity of the profile's name.
    pub azure_identity: Option<Child<AzureIdentityFields>>,
    /// The AzureIdentityBinding of the profile's name.
    pub binding: Option<Child<BindingFields>>,
    /// What podid has made or found before.
    pub record: ProfileRecord,
}

impl Observed {
    /// The identity that was read under this id, if Azure has it.
    #[must_use]
    pub fn shown(&self, id: &ArmId) -> Option<&ManagedIdentity> {
        let mut shown = self.identity.iter().chain(&self.former);
        shown.find(|identity| identity.id == *id)
    }
}

/// A managed identity in Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedIdentity {
    /// Its ARM id.
    pub id: ArmId,
    /// Its region.
    pub location: String,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
    /// Client id.
    pub client_id: String,
    /// Object id of its service principal.
    pub principal_id: String,
    /// Its tenant.
    pub tenant_id: String,
}

impl ManagedIdentity {
    /// A tag by its name, which Azure compares without letter case.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        tags.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A role assignment in Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignment {
    /// Its ARM id.
    pub id: ArmId,
    /// Where it holds.
    pub scope: ArmId,
    /// GUID of the role.
    pub role: Uuid,
    /// Object id of the principal.
    pub principal_id: String,
    /// Free text; podid writes its [marker](crate::owner::Owner::marker) there.
    pub description: Option<String>,
}

/// An object in the cluster that belongs, or should belong, to a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Child<T> {
    /// Whether the profile is its controlling owner.
    pub owned: bool,
    /// The GitOps object that applies it, as `Kustomization flux-system/apps`, if one does.
    pub applied_by: Option<String>,
    /// Its fields.
    pub object: T,
}

/// The fields of an AzureIdentity that podid writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureIdentityFields {
    /// ARM id of the identity.
    pub resource_id: ArmId,
    /// Client id of the identity.
    pub client_id: String,
    /// Object id of its service principal; `None` when the object does not contain it.
    pub principal_id: Option<String>,
    /// Whether only pods of its namespace may use it.
    pub namespaced: bool,
    /// What is asked of the pods that use it.
    pub net_raw: NetRaw,
    /// Identities that the object named before and that a VM or scale set may still have for its pods, with
    /// their client ids. By these the node daemons know that an identity is a profile's, which pods with an
    /// exception must not get.
    pub former: BTreeMap<ArmId, String>,
}

/// The fields of an AzureIdentityBinding that podid writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingFields {
    /// Name of the AzureIdentity.
    pub identity: String,
    /// Value of the pod label.
    pub selector: String,
    /// Service accounts that narrow it; empty: any.
    pub service_accounts: BTreeSet<String>,
}

/// What podid has made or found for one profile, from the profile's status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRecord {
    /// The identity that the profile used last.
    pub identity: Option<RecordedIdentity>,
    /// Identities whose creation was begun and that were not recorded as `identity` since. A crash, or another name,
    /// came between: nothing else shows that they may be there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub creating: BTreeSet<ArmId>,
    /// The role assignments that podid made or found.
    pub role_assignments: Vec<RecordedRoleAssignment>,
}

/// An identity in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedIdentity {
    /// Its ARM id.
    pub id: ArmId,
    /// Client id, a GUID.
    pub client_id: String,
    /// Object id of its service principal, a GUID.
    pub principal_id: String,
    /// Its tenant, a GUID.
    pub tenant_id: String,
    /// Whether podid made it and so may delete it.
    pub created: bool,
}

/// A role assignment in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRoleAssignment {
    /// Its ARM id.
    pub id: ArmId,
    /// The role, as the profile or class names it.
    pub role: String,
    /// Where it holds.
    pub scope: ArmId,
    /// Object id of the principal.
    pub principal_id: String,
    /// Whether podid made it and so may delete it.
    pub created: bool,
}

impl ProfileRecord {
    /// Whether podid made the assignment of this id.
    #[must_use]
    pub fn made(&self, assignment: &ArmId) -> bool {
        self.role_assignments
            .iter()
            .any(|recorded| recorded.created && recorded.id == *assignment)
    }
}
