//! Azure roles as profiles and classes name them.

mod built_in;

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

use crate::spelling;

pub use built_in::{MANAGED_IDENTITY_OPERATOR, PRIVILEGED, VIRTUAL_MACHINE_CONTRIBUTOR};

/// A role, as far as it is known without asking Azure.
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
        built_in::all()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .and_then(|(_, id)| Uuid::try_parse(id).ok())
            .map_or_else(|| Self::Named(text.to_owned()), Self::Known)
    }

    /// Whether both are the same role, as far as is known without asking Azure; names are
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
        built_in::all()
            .find(|(_, guid)| *guid == id)
            .map(|(name, _)| name)
    }

    /// Names of all built-in roles that podid knows.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        built_in::all().map(|(name, _)| name)
    }

    /// The built-in role whose name differs from this name by a typing error or a word; `None` for a
    /// built-in role itself and for names of custom roles.
    #[must_use]
    pub fn did_you_mean(&self) -> Option<&'static str> {
        let Self::Named(name) = self else { return None };
        spelling::nearest(name, built_in::all().map(|(known, _)| known))
    }

    /// Whether the role gives rights to give rights.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.built_in_name()
            .is_some_and(|name| PRIVILEGED.contains(&name))
    }
}

/// What to do about a role that Azure does not have by this name: the name of the built-in role that was
/// probably meant, or else to correct it.
#[must_use]
pub fn remedy_for_unknown(name: &str) -> String {
    match Role::Named(name.to_owned()).did_you_mean() {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "correct the name, or give the role's GUID".to_owned(),
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
    fn a_typing_error_is_recognised() {
        let table = [
            ("Key Vault Secret User", "Key Vault Secrets User"),
            ("KeyVaultSecretsUser", "Key Vault Secrets User"),
            ("key-vault secrets usr", "Key Vault Secrets User"),
            ("Storage Blob Data Raeder", "Storage Blob Data Reader"),
            ("Storage Queue Data Readers", "Storage Queue Data Reader"),
            ("Contributer", "Contributor"),
            ("ACR Pull", "AcrPull"),
            ("Ownr", "Owner"),
            ("Storage Blob Reader", "Storage Blob Data Reader"),
            // Two errors in a long name.
            ("Storage Blb Data Raeder", "Storage Blob Data Reader"),
        ];
        for (written, meant) in table {
            assert_eq!(
                Role::parse(written).did_you_mean(),
                Some(meant),
                "{written}"
            );
        }
    }

    #[test]
    fn other_names_are_not_bent_to_built_in_ones() {
        let own = [
            "Payments Auditor",
            "Blob Reader",
            "Key Vault",
            "",
            "é",
            "Reader of Ledgers",
            // Two errors in a short name.
            "Contribtr",
            "Onr",
        ];
        for name in own {
            assert_eq!(Role::parse(name).did_you_mean(), None, "{name}");
        }
        for (name, id) in built_in::all() {
            assert_eq!(Role::parse(name).did_you_mean(), None, "{name}");
            assert_eq!(Role::parse(id).built_in_name(), Some(name));
        }
    }

    #[test]
    fn who_misspells_a_role_is_told_the_name_and_others_how_to_name_it_surely() {
        assert_eq!(
            remedy_for_unknown("Contributer"),
            "did you mean \"Contributor\"?"
        );
        let of_nothing_known = remedy_for_unknown("Payments Auditor");
        assert!(of_nothing_known.contains("GUID"), "{of_nothing_known}");
    }

    #[test]
    fn every_privileged_role_is_known() {
        for name in PRIVILEGED {
            assert!(Role::parse(name).is_privileged(), "{name}");
        }
    }
}
