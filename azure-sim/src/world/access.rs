//! Roles and who holds them.

use serde::{Deserialize, Serialize};

/// A role held by a principal at a scope.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleAssignment {
    /// GUID of the assignment; made from the other three fields if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Built-in or custom role: its name (`Reader`), GUID or full id.
    pub role: String,
    /// Object id, or the name of an application or identity of this world, or the resource id of
    /// an identity.
    pub principal: String,
    /// Full id of the scope; the world's first subscription if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

/// A custom role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleDefinition {
    /// GUID; made from the name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name people know it by.
    pub role_name: String,
    /// What it is for.
    pub description: String,
    /// Scopes it may be assigned at; `/` if empty.
    pub assignable_scopes: Vec<String>,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

/// Actions allowed, less those taken out again. `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Permission {
    /// Management operations.
    pub actions: Vec<String>,
    /// Taken out of `actions`.
    pub not_actions: Vec<String>,
    /// Operations on data: secrets, blobs.
    pub data_actions: Vec<String>,
    /// Taken out of `data_actions`.
    pub not_data_actions: Vec<String>,
}
