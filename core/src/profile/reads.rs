//! What must be read before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};

use crate::arm::ArmId;
use crate::profile::desired::{Grant, Grantee};
use crate::profile::observed::{ManagedIdentity, ProfileRecord, RecordedIdentity};
use crate::role::Role;

/// The identity to read beside the wanted one: podid made it before the profile named another.
#[must_use]
pub fn former_identity<'a>(
    record: &'a ProfileRecord,
    wanted: Option<&ArmId>,
) -> Option<&'a RecordedIdentity> {
    let recorded = record.identity.as_ref();
    recorded.filter(|it| it.created && Some(&it.id) != wanted)
}

/// Roles that only Azure knows by name, each once: the name in lower case, and a scope at which it can be
/// looked up under the name as written.
#[must_use]
pub fn role_names(grants: &[Grant]) -> BTreeMap<String, (&str, &ArmId)> {
    let mut names = BTreeMap::new();
    for grant in grants {
        if let Role::Named(name) = &grant.role {
            let key = name.to_ascii_lowercase();
            names.entry(key).or_insert((name.as_str(), &grant.scope));
        }
    }
    names
}

/// The role assignments to list, as object id of the principal in lower case and scope: at the scopes that
/// the desired state or the record name. A scope below another is left out, since a list includes the scopes below. Listing
/// a whole subscription instead would need more rights than the operator has.
#[must_use]
pub fn assignment_lists(
    identity: Option<&ManagedIdentity>,
    grants: &[Grant],
    record: &ProfileRecord,
) -> BTreeSet<(String, ArmId)> {
    let principal_of = |grant: &Grant| match &grant.to {
        Grantee::Identity => identity.map(|identity| identity.principal_id.clone()),
        Grantee::Kubelet(principal) => Some(principal.clone()),
    };
    let wanted = grants.iter();
    let wanted = wanted.filter_map(|grant| Some((principal_of(grant)?, grant.scope.clone())));
    let recorded = record.role_assignments.iter();
    let recorded = recorded.map(|a| (a.principal_id.clone(), a.scope.clone()));
    let all: BTreeSet<(String, ArmId)> = wanted
        .chain(recorded)
        .map(|(principal, scope)| (principal.to_ascii_lowercase(), scope))
        .collect();
    let below_another = |(principal, scope): &&(String, ArmId)| {
        all.iter()
            .any(|(other, over)| other == principal && over != scope && over.covers(scope))
    };
    let needed = all.iter().filter(|list| !below_another(list));
    needed.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::observed::RecordedRoleAssignment;
    use crate::testing::id;

    fn grant(role: &str, scope: &str, to: Grantee) -> Grant {
        Grant {
            role: Role::parse(role),
            scope: ArmId::new(scope),
            to,
            shared: false,
            field: String::new(),
        }
    }

    #[test]
    fn each_principal_is_asked_about_once_a_branch() {
        let group = "/subscriptions/s/resourceGroups/g";
        let below = format!("{group}/providers/x");
        let grants = [
            grant("Reader", group, Grantee::Kubelet("M".into())),
            grant("Reader", &below, Grantee::Kubelet("m".into())),
            grant("Reader", &below, Grantee::Kubelet("other".into())),
            grant("Reader", "/subscriptions/s", Grantee::Identity),
        ];
        let gone = RecordedRoleAssignment {
            id: ArmId::new("/a"),
            role: "Reader".into(),
            scope: ArmId::new(group),
            principal_id: "gone".into(),
            created: true,
        };
        let record = ProfileRecord {
            identity: None,
            role_assignments: vec![gone],
        };
        let asked = assignment_lists(None, &grants, &record);
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(principal, scope)| (principal.as_str(), scope.as_str()))
            .collect();
        assert_eq!(
            asked,
            [("gone", group), ("m", group), ("other", below.as_str())],
            "no principal, no question; a list of another principal's shows nothing of this one's"
        );
    }

    #[test]
    fn a_role_is_looked_up_once_whatever_its_letter_case() {
        let grants = [
            grant("Payments Auditor", "/subscriptions/s", Grantee::Identity),
            grant("payments auditor", "/subscriptions/t", Grantee::Identity),
            grant("Reader", "/subscriptions/s", Grantee::Identity),
        ];
        let names = role_names(&grants);
        let scope = ArmId::new("/subscriptions/s");
        let expected = [("payments auditor".to_owned(), ("Payments Auditor", &scope))];
        assert_eq!(names, expected.into());
    }

    #[test]
    fn only_another_identity_that_podid_made_is_read_beside_the_wanted_one() {
        let record = |created| ProfileRecord {
            identity: Some(RecordedIdentity {
                id: id("old"),
                client_id: String::new(),
                principal_id: String::new(),
                tenant_id: String::new(),
                created,
            }),
            role_assignments: Vec::new(),
        };
        let former =
            |created, wanted: Option<&ArmId>| former_identity(&record(created), wanted).is_some();
        assert!(former(true, Some(&id("new"))) && former(true, None));
        assert!(!former(true, Some(&id("OLD"))) && !former(false, Some(&id("new"))));
    }
}
