//! Resource ids: parsing, formatting and comparing them as Azure does.

use uuid::Uuid;

/// UUID namespace of [`stable_guid`].
const NAMESPACE: Uuid = Uuid::from_u128(0x6ba5_9c1e_3f5d_4b7a_9e21_5a2f_0d43_c7b8);

/// The form in which ids are compared: lower case, one leading slash, no doubled or trailing slash.
pub(crate) fn normalize(id: &str) -> String {
    let parts: Vec<_> = id.split('/').filter(|s| !s.is_empty()).collect();
    format!("/{}", parts.join("/")).to_lowercase()
}

/// A GUID derived from a name: always the same for the same `kind` and name, in any letter case.
pub(crate) fn stable_guid(kind: &str, name: &str) -> String {
    Uuid::new_v5(
        &NAMESPACE,
        format!("{kind}|{name}").to_lowercase().as_bytes(),
    )
    .to_string()
}

/// Whether a scope is at or above an id; both normalized.
pub(crate) fn covers(scope: &str, id: &str) -> bool {
    scope == "/"
        || id
            .strip_prefix(scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A resource in a resource group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceId {
    pub(crate) subscription: String,
    pub(crate) group: String,
    /// Namespace and type, such as `Microsoft.Compute/virtualMachines`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

/// Resource types in resource groups.
pub(crate) const USER_ASSIGNED_IDENTITIES: &str =
    "Microsoft.ManagedIdentity/userAssignedIdentities";
pub(crate) const VIRTUAL_MACHINES: &str = "Microsoft.Compute/virtualMachines";
pub(crate) const SCALE_SETS: &str = "Microsoft.Compute/virtualMachineScaleSets";
pub(crate) const VAULTS: &str = "Microsoft.KeyVault/vaults";
pub(crate) const STORAGE_ACCOUNTS: &str = "Microsoft.Storage/storageAccounts";

impl ResourceId {
    pub(crate) fn new(subscription: &str, group: &str, kind: &'static str, name: &str) -> Self {
        Self {
            subscription: subscription.into(),
            group: group.into(),
            kind,
            name: name.into(),
        }
    }

    /// Parses a full id of the given type; `None` for anything else.
    pub(crate) fn parse(id: &str, kind: &'static str) -> Option<Self> {
        let parts: Vec<_> = id.trim_start_matches('/').split('/').collect();
        let [s, subscription, g, group, p, namespace, typ, name] = parts[..] else {
            return None;
        };
        let words = [
            (s, "subscriptions"),
            (g, "resourcegroups"),
            (p, "providers"),
        ];
        let fits = words
            .iter()
            .all(|(found, word)| found.eq_ignore_ascii_case(word))
            && format!("{namespace}/{typ}").eq_ignore_ascii_case(kind)
            && !subscription.is_empty()
            && !group.is_empty()
            && !name.is_empty();
        fits.then(|| Self::new(subscription, group, kind, name))
    }

    /// The id as Azure formats it. In ids of identities Azure writes `resourcegroups` in lower case.
    pub(crate) fn path(&self) -> String {
        let word = if self.kind == USER_ASSIGNED_IDENTITIES {
            "resourcegroups"
        } else {
            "resourceGroups"
        };
        let Self {
            subscription,
            group,
            kind,
            name,
        } = self;
        format!("/subscriptions/{subscription}/{word}/{group}/providers/{kind}/{name}")
    }

    /// The normalized id.
    pub(crate) fn key(&self) -> String {
        normalize(&self.path())
    }
}

/// The normalized id of a resource group.
pub(crate) fn group_key(subscription: &str, group: &str) -> String {
    normalize(&format!(
        "/subscriptions/{subscription}/resourceGroups/{group}"
    ))
}

/// The last segment of an id.
pub(crate) fn last(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_neither_case_nor_slashes() {
        assert_eq!(
            normalize("//Subscriptions/S/resourceGroups/G/"),
            "/subscriptions/s/resourcegroups/g"
        );
        assert_eq!(normalize(""), "/");
    }

    #[test]
    fn a_scope_covers_itself_and_what_is_below() {
        assert!(covers("/", "/subscriptions/s"));
        assert!(covers("/subscriptions/s", "/subscriptions/s"));
        assert!(covers(
            "/subscriptions/s",
            "/subscriptions/s/resourcegroups/g"
        ));
        assert!(!covers("/subscriptions/s", "/subscriptions/s2"));
        assert!(!covers(
            "/subscriptions/s/resourcegroups/g",
            "/subscriptions/s"
        ));
    }

    #[test]
    fn an_id_is_read_in_any_case_and_written_in_azures() {
        let id = "/SUBSCRIPTIONS/s/RESOURCEGROUPS/G/providers/microsoft.managedidentity/userassignedidentities/n";
        let read = ResourceId::parse(id, USER_ASSIGNED_IDENTITIES);
        assert_eq!(
            read.map(|r| r.path()).as_deref(),
            Some(
                "/subscriptions/s/resourcegroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n"
            ),
        );
        assert_eq!(ResourceId::parse(id, VIRTUAL_MACHINES), None);
        assert_eq!(
            ResourceId::parse("/subscriptions/s", USER_ASSIGNED_IDENTITIES),
            None
        );
    }
}
