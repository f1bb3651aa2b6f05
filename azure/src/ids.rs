use std::{fmt, hash::Hash, str::FromStr};

const IDENTITY_TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// A resource group in a subscription.
///
/// Compares and hashes without regard to letter case, as ARM does.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ResourceGroupId {
    /// Subscription id, a GUID.
    pub subscription: String,
    /// Name of the resource group.
    pub group: String,
}

/// The id of a user-assigned managed identity.
///
/// Compares and hashes without regard to letter case: ARM answers with `resourcegroups` where it
/// was asked with `resourceGroups`, and VMs and scale sets may return the id in yet another case.
#[derive(Clone, Debug, serde::Serialize)]
pub struct IdentityId {
    /// Subscription id, a GUID.
    pub subscription: String,
    /// Name of the resource group.
    pub group: String,
    /// Name of the identity.
    pub name: String,
}

/// Text that is not a user-assigned identity's resource id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the resource id of a user-assigned identity; expected \
     /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/{IDENTITY_TYPE}/NAME"
)]
pub struct ParseIdError(String);

impl IdentityId {
    /// An id from its parts.
    pub fn new(
        subscription: impl Into<String>,
        group: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            subscription: subscription.into(),
            group: group.into(),
            name: name.into(),
        }
    }

    /// The group the identity lives in.
    pub fn group_id(&self) -> ResourceGroupId {
        ResourceGroupId {
            subscription: self.subscription.clone(),
            group: self.group.clone(),
        }
    }

    fn folded(&self) -> [String; 3] {
        [&self.subscription, &self.group, &self.name].map(|part| part.to_ascii_lowercase())
    }
}

impl ResourceGroupId {
    /// An id from its parts.
    pub fn new(subscription: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            subscription: subscription.into(),
            group: group.into(),
        }
    }

    fn folded(&self) -> [String; 2] {
        [&self.subscription, &self.group].map(|part| part.to_ascii_lowercase())
    }
}

impl fmt::Display for ResourceGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription, self.group
        )
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}/providers/{IDENTITY_TYPE}/{}",
            self.subscription, self.group, self.name
        )
    }
}

impl FromStr for IdentityId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["", a, subscription, b, group, c, provider, kind, name]
                if a.eq_ignore_ascii_case("subscriptions")
                    && b.eq_ignore_ascii_case("resourceGroups")
                    && c.eq_ignore_ascii_case("providers")
                    && format!("{provider}/{kind}").eq_ignore_ascii_case(IDENTITY_TYPE)
                    && [subscription, group, name]
                        .iter()
                        .all(|part| !part.is_empty()) =>
            {
                Ok(Self::new(*subscription, *group, *name))
            }
            _ => Err(ParseIdError(text.to_owned())),
        }
    }
}

macro_rules! compare_folded {
    ($($id:ty),*) => {$(
        impl PartialEq for $id {
            fn eq(&self, other: &Self) -> bool {
                self.folded() == other.folded()
            }
        }
        impl Eq for $id {}
        impl PartialOrd for $id {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $id {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.folded().cmp(&other.folded())
            }
        }
        impl Hash for $id {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.folded().hash(state);
            }
        }
    )*};
}

compare_folded!(IdentityId, ResourceGroupId);

#[cfg(test)]
mod tests {
    use super::IdentityId;

    const ID: &str = "/subscriptions/s/resourcegroups/Apps/providers/\
                      microsoft.managedidentity/userassignedidentities/Web";

    #[test]
    fn reads_any_letter_case_and_compares_without_it() {
        let id: IdentityId = ID.parse().unwrap();
        assert_eq!(id, IdentityId::new("S", "apps", "web"));
        assert_eq!(
            id.to_string(),
            "/subscriptions/s/resourceGroups/Apps/providers/\
             Microsoft.ManagedIdentity/userAssignedIdentities/Web"
        );
    }

    #[test]
    fn refuses_other_resources_and_extra_segments() {
        for text in [
            "",
            "/",
            &ID.replace("userassigned", "other"),
            &format!("{ID}/x"),
            &ID[1..],
        ] {
            assert!(
                text.parse::<IdentityId>().is_err(),
                "{text:?} must be refused"
            );
        }
    }
}
