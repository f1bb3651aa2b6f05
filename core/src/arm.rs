//! ARM resource ids. Azure compares them without letter case and returns them in another case
//! than they were sent (`resourcegroups` for `resourceGroups`), so they are compared folded and
//! shown as written.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Provider and type of a user-assigned managed identity.
pub const IDENTITY_TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// An ARM id or scope: equal, ordered and hashed without letter case and without a trailing
/// slash, shown as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArmId(String);

impl ArmId {
    /// Wraps an id as written; surrounding white space and trailing slashes are dropped.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(id.as_ref().trim().trim_end_matches('/').to_owned())
    }

    /// The id as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id folded to lower case, as comparison sees it.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether `other` is this scope or lies below it, on whole segments: `/a/b` covers `/a/b/c`
    /// and not `/a/bc`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (scope, below) = (self.folded(), other.folded());
        below
            .strip_prefix(&scope)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether this is the scope of a limit that covers `other`. An empty one would cover everything, and one that is
    /// not [plain](Self::is_plain) who knows what: such limits cover nothing.
    #[must_use]
    pub fn covers_plainly(&self, other: &Self) -> bool {
        self.subscription().is_some() && self.is_plain() && self.covers(other)
    }

    /// Whether two ids with different segments are different resources. So there is no empty segment, no `.`
    /// or `..`, and no character that a URL decodes or that ends a path.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Some(path) = self.0.strip_prefix('/') else {
            return false;
        };
        let odd =
            |c: char| matches!(c, '%' | '?' | '#' | '\\') || c.is_control() || c.is_whitespace();
        path.split('/').all(|segment| {
            !segment.is_empty() && segment != "." && segment != ".." && !segment.contains(odd)
        })
    }

    /// Last segment of the id, as written.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Value of a `/key/value/` pair, without letter case of the key.
    #[must_use]
    pub fn segment(&self, key: &str) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.find(|segment| segment.eq_ignore_ascii_case(key))?;
        segments.next().filter(|value| !value.is_empty())
    }

    /// Subscription of the id.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.segment("subscriptions")
    }

    /// Resource group of the id.
    #[must_use]
    pub fn resource_group(&self) -> Option<&str> {
        self.segment("resourceGroups")
    }

    /// Id of a subscription, from its GUID.
    #[must_use]
    pub fn of_subscription(subscription: &str) -> Self {
        Self::new(format!("/subscriptions/{subscription}"))
    }

    /// Id of the resource group in which this is, or which it is.
    #[must_use]
    pub fn group(&self) -> Option<Self> {
        let (subscription, group) = (self.subscription()?, self.resource_group()?);
        let id = format!("/subscriptions/{subscription}/resourceGroups/{group}");
        Some(Self(id)).filter(|group| group.covers(self))
    }
}

impl PartialEq for ArmId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ArmId {}

impl PartialOrd for ArmId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ArmId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

impl Hash for ArmId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ArmId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// Subscription and group of a resource of `provider`, and the segments that name it there, all as
/// written; `None` when the id is of any other shape.
pub(crate) fn resource_of<'a>(
    id: &'a str,
    provider: &str,
) -> Option<(&'a str, &'a str, Vec<&'a str>)> {
    let segments: Vec<&str> = id.split('/').collect();
    let [
        "",
        subs,
        subscription,
        groups,
        group,
        providers,
        own,
        resource @ ..,
    ] = segments.as_slice()
    else {
        return None;
    };
    let words = [
        (*subs, "subscriptions"),
        (*groups, "resourceGroups"),
        (*providers, "providers"),
        (*own, provider),
    ];
    let fits = words.iter().all(|(is, want)| is.eq_ignore_ascii_case(want));
    fits.then(|| (*subscription, *group, resource.to_vec()))
}

/// A user-assigned identity's ARM id, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedIdentityId {
    /// Subscription, as written.
    pub subscription: String,
    /// Resource group, as written.
    pub group: String,
    /// Name, as written.
    pub name: String,
}

impl ManagedIdentityId {
    /// Takes an ARM id of a user-assigned identity apart; `None` when it is anything else or not
    /// [plain](ArmId::is_plain).
    #[must_use]
    pub fn parse(id: &ArmId) -> Option<Self> {
        let (subscription, group, resource) =
            resource_of(id.as_str(), "Microsoft.ManagedIdentity")?;
        let [kind, name] = resource.as_slice() else {
            return None;
        };
        let fits = kind.eq_ignore_ascii_case("userAssignedIdentities") && id.is_plain();
        fits.then(|| Self {
            subscription: subscription.to_owned(),
            group: group.to_owned(),
            name: (*name).to_owned(),
        })
    }

    /// The ARM id, in the spelling of ARM's documentation.
    #[must_use]
    pub fn arm_id(&self) -> ArmId {
        ArmId::new(format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{IDENTITY_TYPE}/{}",
            self.subscription, self.group, self.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/S/resourcegroups/G.1/providers/microsoft.managedidentity/userassignedidentities/N";

    #[test]
    fn ids_that_differ_in_case_or_trailing_slash_are_equal() {
        assert_eq!(
            ArmId::new(ID),
            ArmId::new(format!("{}/", ID.to_uppercase()))
        );
    }

    #[test]
    fn a_scope_covers_whole_segments_only() {
        let group = ArmId::new("/subscriptions/s/resourceGroups/rg");
        assert!(group.covers(&ArmId::new(
            "/SUBSCRIPTIONS/s/resourcegroups/RG/providers/x"
        )));
        assert!(group.covers(&group.clone()));
        assert!(!group.covers(&ArmId::new("/subscriptions/s/resourceGroups/rg2")));
        assert!(!group.covers(&ArmId::new("/subscriptions/s")));
    }

    #[test]
    fn an_identity_id_is_taken_apart_and_put_together() {
        let id = ManagedIdentityId::parse(&ArmId::new(ID)).expect("an identity");
        assert_eq!((id.group.as_str(), id.name.as_str()), ("G.1", "N"));
        assert_eq!(id.arm_id(), ArmId::new(ID));
    }

    #[test]
    fn other_ids_are_no_identity() {
        for id in [
            "",
            "/",
            "/subscriptions/s",
            &format!("{ID}/x"),
            &ID.replace("identity", "x"),
            &ID.replace("G.1", ""),
            &ID.replace("G.1", ".."),
            &ID.replace("G.1", "a b"),
            &format!("{ID}%2f"),
            &format!("{ID}?x"),
            &format!("{ID}#x"),
            &format!("{ID}\\x"),
        ] {
            assert_eq!(ManagedIdentityId::parse(&ArmId::new(id)), None, "{id}");
        }
    }
}
