//! The seed of roles and role assignments.

use serde::{Deserialize, Serialize};

/// A role held by a principal at a scope.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleAssignment {
    /// GUID of the assignment; derived from role, principal and scope if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Built-in or custom role: its name (`Reader`), GUID or full id.
    pub role: String,
    /// Object id, or the name of an application or identity of this seed, or the resource id of
    /// an identity.
    pub principal: String,
    /// Full id of the scope; the seed's first subscription if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Condition (ABAC) under which the role allows what it allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Version of the condition's format: `2.0`, also if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition_version: Option<String>,
}

/// A custom role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleDefinition {
    /// GUID; derived from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Display name; role assignments of this seed may refer to it.
    pub role_name: String,
    /// Text for people.
    pub description: String,
    /// Scopes it may be assigned at; `/` if empty.
    pub assignable_scopes: Vec<String>,
    /// Actions that it allows.
    pub permissions: Vec<Permission>,
}

/// Actions allowed, without those excluded. `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Permission {
    /// Control plane actions.
    pub actions: Vec<String>,
    /// Excluded from `actions`.
    pub not_actions: Vec<String>,
    /// Data plane actions: on secrets and blobs.
    pub data_actions: Vec<String>,
    /// Excluded from `data_actions`.
    pub not_data_actions: Vec<String>,
}
