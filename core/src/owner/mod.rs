//! The profile that owns an identity or role assignment in Azure, and the marks that say so there; the profile
//! that owns an object of the cluster (`child`).

mod child;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

pub use child::{ControllerReference, Origin, is_controlled_by, origin, profile_of};

/// Azure tag: name of the cluster that made the identity.
pub const TAG_CLUSTER: &str = "podid-cluster";
/// Azure tag: namespace of the profile that made the identity.
pub const TAG_NAMESPACE: &str = "podid-namespace";
/// Azure tag: name of the profile that made the identity.
pub const TAG_PROFILE: &str = "podid-profile";
/// Azure tag: uid of the profile that made the identity.
pub const TAG_UID: &str = "podid-uid";

/// The profile to which objects in Azure and in the cluster belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Name of the cluster.
    pub cluster: String,
    /// Namespace of the profile.
    pub namespace: String,
    /// Name of the profile.
    pub profile: String,
    /// Uid of the profile; empty for a file that no API server has seen.
    pub uid: String,
}

impl Owner {
    /// The tags that mark an identity as made for this profile.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<String, String> {
        [
            (TAG_CLUSTER, &self.cluster),
            (TAG_NAMESPACE, &self.namespace),
            (TAG_PROFILE, &self.profile),
            (TAG_UID, &self.uid),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
    }

    /// Whom the tags of an identity name; `None` when they name nobody. Part of the mark is a mark.
    #[must_use]
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Self> {
        // Azure keeps the letter case of a tag's name and does not tell names apart by it.
        let tag = |key: &str| {
            let mut all = tags.iter();
            all.find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value.clone())
        };
        let [cluster, namespace, profile, uid] =
            [TAG_CLUSTER, TAG_NAMESPACE, TAG_PROFILE, TAG_UID].map(tag);
        let marked = [&cluster, &namespace, &profile, &uid]
            .iter()
            .any(|tag| tag.is_some());
        marked.then(|| Self {
            cluster: cluster.unwrap_or_default(),
            namespace: namespace.unwrap_or_default(),
            profile: profile.unwrap_or_default(),
            uid: uid.unwrap_or_default(),
        })
    }

    /// The description that marks a role assignment as made for this profile.
    #[must_use]
    pub fn marker(&self) -> String {
        format!(
            "podid: {}/{}/{}",
            self.cluster, self.namespace, self.profile
        )
    }

    /// The description that marks a role assignment as made for all profiles of this cluster.
    #[must_use]
    pub fn cluster_marker(&self) -> String {
        format!("podid: machines of {}", self.cluster)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "profile {}/{} of cluster {}",
            self.namespace, self.profile, self.cluster
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            cluster: "prod".into(),
            namespace: "shop".into(),
            profile: "cart".into(),
            uid: "u".into(),
        }
    }

    /// Azure keeps these texts: a release that writes others no longer knows what is its own.
    #[test]
    fn marks_in_azure_never_change() {
        assert_eq!(owner().marker(), "podid: prod/shop/cart");
        assert_eq!(owner().cluster_marker(), "podid: machines of prod");
        assert_eq!(
            owner().to_string(),
            "profile shop/cart of cluster prod",
            "what people read"
        );
        let tags = [
            ("podid-cluster", "prod"),
            ("podid-namespace", "shop"),
            ("podid-profile", "cart"),
            ("podid-uid", "u"),
        ];
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(owner().tags(), tags.into());
    }

    #[test]
    fn one_tag_of_ours_in_any_letter_case_is_a_mark() {
        assert_eq!(Owner::from_tags(&owner().tags()), Some(owner()));
        let tag = |name: &str| BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        let marked = Owner::from_tags(&tag("PodId-Profile")).expect("a mark");
        assert_eq!(marked.profile, "x");
        assert_eq!(Owner::from_tags(&tag("team")), None);
    }
}
