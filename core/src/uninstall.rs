//! What must not be left when podid is uninstalled: objects that wait for a finalizer which nobody takes off any more.

use std::fmt;

use crate::arm::ArmId;
use crate::object_key::ObjectKey;
use crate::profile::finalizer::{FINALIZER, is_held};
use crate::profile::observed::ProfileRecord;

/// How many objects a message names.
const NAMED: usize = 5;

/// A profile as the API server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundProfile {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// Whether somebody has deleted it.
    pub is_deleted: bool,
}

/// The profiles that would be stranded without the operator, because they have podid's finalizer. The message says what
/// to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranded {
    /// All of them, sorted.
    profiles: Vec<ObjectKey>,
    /// How many of them somebody has deleted.
    deleted: usize,
}

/// Whether podid's operator may go.
///
/// # Errors
/// Profiles would be stranded.
pub fn check(profiles: impl IntoIterator<Item = FoundProfile>) -> Result<(), Stranded> {
    let profiles = profiles.into_iter();
    let held = profiles.filter(|profile| is_held(&profile.finalizers));
    let held: Vec<FoundProfile> = held.collect();
    if held.is_empty() {
        return Ok(());
    }
    let deleted = held.iter().filter(|profile| profile.is_deleted).count();
    let mut profiles: Vec<ObjectKey> = held.into_iter().map(|profile| profile.key).collect();
    profiles.sort();
    Err(Stranded { profiles, deleted })
}

impl fmt::Display for Stranded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.profiles.len();
        let named: Vec<String> = self
            .profiles
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        let more = count.saturating_sub(NAMED);
        write!(
            f,
            "podid is not uninstalled: PodIdentityProfiles that have podid's finalizer {FINALIZER}: {count} ({}{}), of \
             which being deleted: {}. Without the operator nobody takes it off, and they and their namespaces would stay \
             Terminating. To have podid remove what it made in Azure, delete the profiles (kubectl get \
             podidentityprofiles --all-namespaces), wait until they are gone, and uninstall again. To keep it, set \
             uninstall.enabled=true first, which has the operator take the finalizers off. docs/install.md, section \
             \"Remove it\", has the commands, also those after this refusal",
            named.join(", "),
            if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            },
            self.deleted,
        )
    }
}

impl std::error::Error for Stranded {}

/// What podid made in Azure for a profile whose finalizer it takes off, and leaves there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftInAzure {
    /// The identities that podid made, or may have made.
    pub identities: Vec<ArmId>,
    /// Ids of the role assignments that podid made.
    pub role_assignments: Vec<ArmId>,
    /// Whether somebody has deleted the profile, whose status is then gone at once.
    pub is_deleted: bool,
}

impl LeftInAzure {
    /// By the status of the profile, which names what podid made before podid makes it.
    #[must_use]
    pub fn of(record: &ProfileRecord, is_deleted: bool) -> Self {
        let identity = record.identity.iter().filter(|identity| identity.created);
        let identities = identity.map(|identity| &identity.id);
        let assignments = record.role_assignments.iter();
        let assignments = assignments.filter(|assignment| assignment.created);
        Self {
            identities: identities.chain(&record.creating).cloned().collect(),
            role_assignments: assignments.map(|one| one.id.clone()).collect(),
            is_deleted,
        }
    }

    /// Whether nobody finds what is left but by this message.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.is_deleted && (!self.identities.is_empty() || !self.role_assignments.is_empty())
    }
}

impl fmt::Display for LeftInAzure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("podid is being uninstalled and takes its finalizer off; ")?;
        let ids = self.identities.iter().chain(&self.role_assignments);
        let ids: Vec<String> = ids.map(ToString::to_string).collect();
        if ids.is_empty() {
            return f.write_str("it has made nothing in Azure for this profile");
        }
        let next = if self.is_deleted {
            "delete it there if nobody needs it"
        } else {
            "podid goes on with it when it is installed again; a profile that is deleted before leaves it there"
        };
        write!(f, "what it made stays in Azure: {next}: {}", ids.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::profile::observed::{RecordedIdentity, RecordedRoleAssignment};

    fn profile(name: &str, finalizers: &[&str], is_deleted: bool) -> FoundProfile {
        FoundProfile {
            key: ObjectKey::new("shop", name),
            finalizers: finalizers.iter().map(|&name| name.to_owned()).collect(),
            is_deleted,
        }
    }

    #[test]
    fn what_others_hold_or_nobody_holds_is_not_stranded() {
        let others = profile("cart", &["example.com/a"], true);
        assert_eq!(check([others, profile("till", &[], false)]), Ok(()));
        assert_eq!(check([]), Ok(()));
    }

    #[test]
    fn the_refusal_counts_all_names_a_few_and_says_what_to_do() {
        let many = (0..7).map(|n| profile(&format!("p{n}"), &[FINALIZER], n > 4));
        let said = check(many).expect_err("they are held").to_string();
        for words in [
            ": 7 (shop/p0, shop/p1, shop/p2, shop/p3, shop/p4 and 2 more)",
            "being deleted: 2.",
            "delete the profiles",
            "uninstall.enabled=true",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let one = check([profile("cart", &[FINALIZER], false)]);
        let said = one.expect_err("it is held").to_string();
        assert!(
            said.contains(": 1 (shop/cart), of which being deleted: 0."),
            "{said}"
        );
    }

    fn record(created: bool) -> ProfileRecord {
        let id = ArmId::new("/subscriptions/s/identity");
        ProfileRecord {
            identity: Some(RecordedIdentity {
                id: id.clone(),
                client_id: "c".into(),
                principal_id: "p".into(),
                tenant_id: "t".into(),
                created,
            }),
            creating: BTreeSet::new(),
            role_assignments: vec![RecordedRoleAssignment {
                id: ArmId::new("/subscriptions/s/assignment"),
                role: "Reader".into(),
                scope: id,
                principal_id: "p".into(),
                created,
            }],
        }
    }

    #[test]
    fn what_podid_made_is_named_and_what_it_found_is_not() {
        let left = LeftInAzure::of(&record(true), true);
        assert!(left.is_abandoned());
        let said = left.to_string();
        assert!(
            said.ends_with("delete it there if nobody needs it: /subscriptions/s/identity, /subscriptions/s/assignment"),
            "{said}"
        );
        let begun = ProfileRecord {
            creating: [ArmId::new("/subscriptions/s/begun")].into(),
            ..record(false)
        };
        assert!(
            LeftInAzure::of(&begun, true).is_abandoned(),
            "it may be there"
        );
        let found = LeftInAzure::of(&record(false), true);
        assert!(!found.is_abandoned(), "{found}");
        assert!(
            found
                .to_string()
                .ends_with("nothing in Azure for this profile")
        );
    }

    #[test]
    fn a_profile_that_stays_keeps_its_record() {
        let left = LeftInAzure::of(&record(true), false);
        assert!(!left.is_abandoned());
        assert!(
            left.to_string().contains("when it is installed again"),
            "{left}"
        );
    }
}
