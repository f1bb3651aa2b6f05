//! What a profile asks for, as plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arm::ArmId;
use crate::backend::Backend;
use crate::net_raw::NetRaw;
use crate::scope::Scope;

/// What becomes of a created identity when its profile is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It is deleted, with the role assignments podid made for it.
    #[default]
    Delete,
    /// It stays in Azure, with its role assignments.
    Retain,
}

/// Whether an identity may be created, adopted, or either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CreationPolicy {
    /// Created; an existing one of that name that is not this profile's is refused.
    #[default]
    Create,
    /// Must exist already; never created, never deleted.
    Adopt,
    /// Adopted when it exists, else created.
    CreateOrAdopt,
}

/// What to do about a difference between a profile and Azure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Drift {
    /// It is corrected.
    #[default]
    Enforce,
    /// It is reported in the status, and nothing is changed.
    Observe,
}

/// A profile as its author wrote it, with the defaults of its schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Namespace of the profile.
    pub namespace: String,
    /// Name of the profile.
    pub name: String,
    /// Uid of the profile; empty for a file that no API server has seen.
    pub uid: String,
    /// Labels of the profile's namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// Name of its class.
    pub class_name: String,
    /// Name of the identity, when the profile gives one.
    pub identity_name: Option<String>,
    /// Identity to adopt, when the profile names one.
    pub identity_id: Option<ArmId>,
    /// Tags the author wants on a created identity.
    pub tags: BTreeMap<String, String>,
    /// See [`DeletionPolicy`].
    pub deletion_policy: DeletionPolicy,
    /// How long pods keep the identity after the profile is deleted, unless they end before.
    pub deletion_grace: Duration,
    /// See [`CreationPolicy`].
    pub creation_policy: CreationPolicy,
    /// Rights of the identity.
    pub access: Vec<Access>,
    /// Value of the pod label `aadpodidbinding`.
    pub selector: String,
    /// Service accounts that narrow the binding; empty: any.
    pub service_accounts: BTreeSet<String>,
    /// Backend, when the profile chooses one.
    pub backend: Option<Backend>,
    /// See [`NetRaw`].
    pub net_raw: NetRaw,
    /// See [`Drift`].
    pub drift: Drift,
    /// Whether the author has suspended the work on it.
    pub suspend: bool,
    /// See [`Interval`].
    pub interval: Interval,
}

/// How often a profile is compared with Azure, as its author wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Interval {
    /// The operator's own interval.
    #[default]
    Default,
    /// This often; never zero.
    Every(Duration),
    /// The text is not a duration. The schema refuses it, but the profile may have been written under
    /// another schema.
    Invalid(String),
}

impl Interval {
    /// The interval, with that of the operator where the author gives none that is valid.
    #[must_use]
    pub fn or(&self, default: Duration) -> Duration {
        match self {
            Self::Every(interval) => *interval,
            Self::Default | Self::Invalid(_) => default,
        }
    }
}

/// One right: a role at a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Access {
    /// Role name, role GUID or full role definition id, as written.
    pub role: String,
    /// See [`Scope`].
    pub scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_interval_counts_where_the_author_gives_none_that_is_valid() {
        let operators = Duration::from_secs(600);
        let of_author = Duration::from_secs(60);
        assert_eq!(Interval::Every(of_author).or(operators), of_author);
        assert_eq!(Interval::Default.or(operators), operators);
        assert_eq!(Interval::Invalid("soon".into()).or(operators), operators);
    }
}
