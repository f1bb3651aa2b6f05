//! Decisions about a token while its source is asked, and once it is there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::binding::AzureIdentity;
use crate::owner::Origin;

/// How long after an assignment IMDS may not know the identity. It takes Azure up to a minute to pass it
/// on; this limit is half as much again.
pub const IMDS_LAG: Duration = Duration::from_secs(90);

/// What it means that IMDS does not know an identity that is assigned, although it was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum UnknownIdentity {
    /// The assignment is young, and the request cannot wait any longer: the client should ask again.
    NotYet,
    /// The assignment is older than [`IMDS_LAG`], so that waiting does not help.
    Lost,
}

/// How long a request waits until IMDS knows the identity, and what it means if IMDS does not know it then.
///
/// `assigned_for` is the age of the assignment, `None` when it is not known; `at_most` is how long the
/// request may be kept waiting.
#[must_use]
pub fn wait_for_imds(
    assigned_for: Option<Duration>,
    at_most: Duration,
) -> (Duration, UnknownIdentity) {
    let lag = assigned_for.map_or(Duration::ZERO, |age| IMDS_LAG.saturating_sub(age));
    match lag <= at_most {
        true => (lag, UnknownIdentity::Lost),
        false => (at_most, UnknownIdentity::NotYet),
    }
}

/// Whether a token with this client id is one of the AzureIdentity, by whose client id the pod has asked and
/// which the audit log names. Otherwise whoever writes an AzureIdentity would have pods get the token of one
/// identity under the name of another.
#[must_use]
pub fn is_token_of(client_id: &str, identity: &AzureIdentity) -> bool {
    !client_id.is_empty() && client_id.eq_ignore_ascii_case(&identity.client_id)
}

/// The client ids that no pod with an exception gets, because a profile brought their identities to nodes by
/// this AzureIdentity: its own, and those of identities that it named before and that a VM or scale set may
/// still have for it (`former`). One that was written by hand has none: the identity may be the node's own.
#[must_use]
pub fn profile_client_ids<'a>(
    identity: &'a AzureIdentity,
    former: &'a BTreeSet<String>,
) -> BTreeSet<&'a str> {
    let ids = former.iter().chain([&identity.client_id]);
    match identity.origin {
        Origin::Profile => ids.map(String::as_str).collect(),
        Origin::HandWritten => BTreeSet::new(),
    }
}

/// Whether a pod with an exception may have a token with this client id. The exception gives it the node's
/// own identities. Those of profiles are on the node for other pods, and no class limits who may write
/// exceptions. A token whose owner is not known may be one of theirs.
#[must_use]
pub fn may_pass_through(client_id: &str, is_of_profile: bool) -> bool {
    !client_id.is_empty() && !is_of_profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::AzureIdentityType;
    use crate::testing::{id, identity};

    #[test]
    fn an_unknown_identity_is_waited_for_as_long_as_its_assignment_is_young() {
        let seconds = Duration::from_secs;
        let table = [
            (Some(0), 20, 20, UnknownIdentity::NotYet),
            (Some(69), 20, 20, UnknownIdentity::NotYet),
            (Some(70), 20, 20, UnknownIdentity::Lost),
            (Some(85), 20, 5, UnknownIdentity::Lost),
            (Some(90), 20, 0, UnknownIdentity::Lost),
            (Some(1000), 20, 0, UnknownIdentity::Lost),
            (Some(0), 0, 0, UnknownIdentity::NotYet),
            (Some(0), 100, 90, UnknownIdentity::Lost),
            (None, 20, 0, UnknownIdentity::Lost),
        ];
        for (age, at_most, wait, then) in table {
            let decided = wait_for_imds(age.map(seconds), seconds(at_most));
            assert_eq!(decided, (seconds(wait), then), "{age:?} {at_most}");
        }
    }

    #[test]
    fn a_token_belongs_to_the_client_id_in_any_letter_case_and_to_no_other() {
        let identity = AzureIdentity {
            client_id: "client-one".into(),
            ..identity("one", AzureIdentityType::Managed, id("one"))
        };
        for (found, belongs) in [
            ("client-one", true),
            ("CLIENT-one", true),
            ("client-two", false),
            ("", false),
        ] {
            assert_eq!(is_token_of(found, &identity), belongs, "{found:?}");
        }
        let nameless = AzureIdentity {
            client_id: String::new(),
            ..identity
        };
        assert!(!is_token_of("", &nameless));
    }

    #[test]
    fn an_exception_opens_only_what_is_known_to_be_no_profiles() {
        assert!(may_pass_through("of-the-node", false));
        assert!(!may_pass_through("of-a-profile", true));
        assert!(!may_pass_through("", false), "whose token is it?");
    }

    #[test]
    fn only_a_profile_keeps_client_ids_from_others_its_former_ones_too() {
        let mut named = identity("i", AzureIdentityType::Managed, id("a"));
        let former = ["old".to_owned()].into();
        assert!(profile_client_ids(&named, &former).is_empty());
        named.origin = Origin::Profile;
        assert_eq!(profile_client_ids(&named, &former), ["c", "old"].into());
        assert_eq!(profile_client_ids(&named, &BTreeSet::new()), ["c"].into());
    }
}
