//! Azure roles as profiles and classes name them.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// Built-in roles that podid knows by name (Azure docs: built-in roles). Any other role can be
/// named by GUID or definition id, and is looked up by name in Azure.
const BUILT_IN: &[(&str, &str)] = &[
    ("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
    ("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
    ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
    (
        "User Access Administrator",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    ),
    (
        "Role Based Access Control Administrator",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    ),
    (
        "Managed Identity Contributor",
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
    ),
    (
        MANAGED_IDENTITY_OPERATOR,
        "f1a07417-d97a-45cb-824c-7a7467783830",
    ),
    (
        VIRTUAL_MACHINE_CONTRIBUTOR,
        "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
    ),
    (
        "Key Vault Secrets User",
        "4633458b-17de-408a-b874-0445c86b69e6",
    ),
    (
        "Storage Blob Data Reader",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    ),
    (
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    ),
    (
        "Storage Blob Data Owner",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    ),
];

/// Lets its holder assign an identity to machines.
pub const MANAGED_IDENTITY_OPERATOR: &str = "Managed Identity Operator";

/// Lets its holder change machines.
pub const VIRTUAL_MACHINE_CONTRIBUTOR: &str = "Virtual Machine Contributor";

/// Roles that give rights to give rights; never granted unless a class lists them by name.
pub const PRIVILEGED: &[&str] = &[
    "Owner",
    "User Access Administrator",
    "Role Based Access Control Administrator",
];

/// A role, as far as it can be told without asking Azure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// A role whose definition GUID is known.
    Known(Uuid),
    /// A role that only Azure can find, by this name.
    Named(String),
}

impl Role {
    /// Reads a role name, a role GUID or a full role definition id.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let last = text
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(text);
        if let Ok(id) = Uuid::try_parse(last) {
            return Self::Known(id);
        }
        BUILT_IN
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .and_then(|(_, id)| Uuid::try_parse(id).ok())
            .map_or_else(|| Self::Named(text.to_owned()), Self::Known)
    }

    /// Whether both are the same role, as far as can be told without asking Azure; names are
    /// compared without letter case.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(one), Self::Named(other)) => one.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }

    /// GUID of the role's definition; `None` for a role that only Azure can find.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::Known(id) => Some(*id),
            Self::Named(_) => None,
        }
    }

    /// Name of a built-in role, if this is one.
    #[must_use]
    pub fn built_in_name(&self) -> Option<&'static str> {
        let Self::Known(id) = self else { return None };
        let id = id.to_string();
        BUILT_IN
            .iter()
            .find(|(_, guid)| *guid == id)
            .map(|(name, _)| *name)
    }

    /// Whether the role gives rights to give rights.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.built_in_name()
            .is_some_and(|name| PRIVILEGED.contains(&name))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.built_in_name()) {
            (_, Some(name)) => f.write_str(name),
            (Self::Known(id), None) => write!(f, "role {id}"),
            (Self::Named(name), None) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_same_by_name_guid_and_id() {
        let guid = "4633458b-17de-408a-b874-0445c86b69e6";
        let by_id =
            format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{guid}");
        for text in ["key vault secrets user", guid, &guid.to_uppercase(), &by_id] {
            assert_eq!(
                Role::parse(text).to_string(),
                "Key Vault Secrets User",
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_name_is_left_to_azure() {
        assert_eq!(
            Role::parse(" Payments Auditor "),
            Role::Named("Payments Auditor".into())
        );
    }

    #[test]
    fn every_privileged_role_is_known() {
        for name in PRIVILEGED {
            assert!(Role::parse(name).is_privileged(), "{name}");
        }
    }
}
