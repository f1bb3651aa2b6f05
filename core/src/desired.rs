//! What an admitted profile wants to be true, with the facts of its class filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;
use crate::profile::{Backend, CreationPolicy, DeletionPolicy, Drift, NetRaw};
use crate::role::Role;

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

/// What an admitted profile wants; only [`admit`](crate::admit::admit) makes one, so that nothing
/// beyond the limits of a class is ever planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Desired {
    /// Whose it is.
    pub owner: Owner,
    /// Tenant in which the identity must live.
    pub tenant_id: String,
    /// The identity.
    pub identity: DesiredIdentity,
    /// Every role it comes to, for the identity and for the machines.
    pub grants: Vec<Grant>,
    /// The pods.
    pub binding: DesiredBinding,
    /// How pods get tokens.
    pub backend: Backend,
    /// See [`NetRaw`].
    pub net_raw: NetRaw,
    /// See [`Drift`].
    pub drift: Drift,
    /// See [`DeletionPolicy`].
    pub deletion_policy: DeletionPolicy,
}

/// The identity an admitted profile wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DesiredIdentity {
    /// Its ARM id.
    pub id: ArmId,
    /// Region in which it is created.
    pub location: String,
    /// The author's tags and those that mark the owner.
    pub tags: BTreeMap<String, String>,
    /// See [`CreationPolicy`].
    pub creation: CreationPolicy,
}

/// The binding an admitted profile wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DesiredBinding {
    /// Value of the pod label `aadpodidbinding`.
    pub selector: String,
    /// Service accounts that narrow the binding; empty: any.
    pub service_accounts: BTreeSet<String>,
}

/// One role at one scope, for one of two principals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: ArmId,
    /// Who gets it.
    pub to: Grantee,
    /// Whether it serves this profile alone, or all profiles of the cluster.
    pub shared: bool,
    /// Field that asks for it.
    pub field: String,
}

/// Who gets a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Grantee {
    /// The profile's identity, whose object id is known once it exists.
    Identity,
    /// The machines' identity, by its object id.
    Machines(String),
}
