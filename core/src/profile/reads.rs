//! What must be read before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::arm::ArmId;
use crate::profile::desired::{Grant, Grantee};
use crate::profile::observed::{ManagedIdentity, ProfileRecord, RoleAssignment};
use crate::role::Role;

/// How old what is listed for all profiles may be when one is compared with it.
pub const LIST_AGE: Duration = Duration::from_secs(30);

/// Whether a profile of this interval is compared with what is listed for all profiles. One whose interval is shorter
/// than two list ages is read by itself.
#[must_use]
pub fn is_by_lists(interval: Duration) -> bool {
    interval >= LIST_AGE * 2
}

/// Where to list the role assignments of every principal, to have those at `scope` among them: at its resource group,
/// or at itself when it is above all groups. `None` above all subscriptions, where others have too many.
#[must_use]
pub fn list_scope(scope: &ArmId) -> Option<ArmId> {
    let alone = || scope.subscription().map(|_| scope.clone());
    scope.group().or_else(alone)
}

/// What a list of one principal's role assignments at `scope` would have, from a list that has more. As in Azure's,
/// those at scopes above and below are in it.
pub fn of_principal<'a>(
    listed: &'a [RoleAssignment],
    principal: &'a str,
    scope: &'a ArmId,
) -> impl Iterator<Item = &'a RoleAssignment> {
    listed.iter().filter(move |assignment| {
        assignment.principal_id.eq_ignore_ascii_case(principal)
            && (scope.covers(&assignment.scope) || assignment.scope.covers(scope))
    })
}

/// The identities to read beside the wanted one: podid made them, or may have, before the profile named another.
pub fn former_identities<'a>(
    record: &'a ProfileRecord,
    wanted: Option<&'a ArmId>,
) -> impl Iterator<Item = &'a ArmId> {
    let recorded = record.identity.iter().filter(|it| it.created);
    let recorded = recorded.map(|it| &it.id);
    let all = recorded.chain(&record.creating);
    all.filter(move |id| Some(*id) != wanted)
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
/// the desired state or the record name. A scope below another is left out, since a list includes the scopes below. They are
/// not listed at the subscription, where the operator has no right to, unless that is such a scope.
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
    use uuid::Uuid;

    use super::*;
    use crate::profile::observed::{RecordedIdentity, RecordedRoleAssignment};
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

    /// A list of a group shows of a principal what a list of its own at a scope in the group would.
    #[test]
    fn a_list_of_a_group_shows_what_one_of_a_principal_at_a_scope_would() {
        let group = "/subscriptions/s/resourceGroups/g";
        let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/v");
        let assignment = |principal: &str, scope: &str| RoleAssignment {
            id: ArmId::new(format!("{scope}/{principal}")),
            scope: ArmId::new(scope),
            role: Uuid::nil(),
            principal_id: principal.to_owned(),
            description: None,
        };
        let listed = [
            assignment("ME", &vault.to_uppercase()),
            assignment("me", &format!("{vault}/secrets/x")),
            assignment("me", "/subscriptions/s"),
            assignment("me", &format!("{vault}2")),
            assignment("other", &vault),
        ];
        let scope = ArmId::new(&vault);
        let found: Vec<&RoleAssignment> = of_principal(&listed, "me", &scope).collect();
        assert_eq!(found, listed.iter().take(3).collect::<Vec<_>>());
        assert_eq!(list_scope(&scope), Some(ArmId::new(group)));
        assert_eq!(list_scope(&ArmId::new(group)), Some(ArmId::new(group)));
        let subscription = ArmId::new("/subscriptions/s");
        assert_eq!(list_scope(&subscription), Some(subscription));
        for above in ["/", "/providers/Microsoft.Management/managementGroups/m"] {
            assert_eq!(list_scope(&ArmId::new(above)), None, "{above}");
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
            role_assignments: vec![gone],
            ..ProfileRecord::default()
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
            creating: [id("begun")].into(),
            role_assignments: Vec::new(),
        };
        let table = [
            (true, Some("new"), &["old", "begun"][..]),
            (true, None, &["old", "begun"]),
            (true, Some("OLD"), &["begun"]),
            (true, Some("Begun"), &["old"]),
            (false, Some("new"), &["begun"]),
        ];
        for (created, wanted, expected) in table {
            let (record, wanted) = (record(created), wanted.map(id));
            let found = former_identities(&record, wanted.as_ref());
            let expected: Vec<ArmId> = expected.iter().map(|name| id(name)).collect();
            assert_eq!(found.cloned().collect::<Vec<_>>(), expected, "{wanted:?}");
        }
    }
}
