use super::*;
use crate::class::NodeGrants;
use crate::profile::admit::tests::class;

fn lines(access: &OperatorAccess) -> Vec<String> {
    let line = |one: &OperatorAssignment| format!("{} {}", one.role, one.scope);
    access.assignments.iter().map(line).collect()
}

fn conditions(access: &OperatorAccess, scope: &str) -> Vec<String> {
    let at = access
        .assignments
        .iter()
        .filter(|one| one.scope == ArmId::new(scope));
    at.filter_map(|one| one.condition.clone()).collect()
}

const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

#[test]
fn a_class_has_the_operator_do_what_it_says_where_it_says_it() {
    let access = access_for(&[class()]).expect("roles with ids");
    let group = "/subscriptions/s/resourceGroups";
    assert_eq!(
        lines(&access),
        [
            "podid classes /subscriptions/s".to_owned(),
            format!("podid grants {group}/apps"),
            format!("podid grants {group}/identities"),
            format!("podid grants {group}/nodes"),
            format!("podid identities {group}/identities"),
            format!("podid nodes {group}/nodes"),
        ]
    );
    let apps = conditions(&access, &format!("{group}/apps"));
    let roles = BTreeSet::from([Uuid::try_parse(SECRETS_USER).expect("a GUID")]);
    assert_eq!(apps, [condition(&roles)]);
    assert_eq!(access.definitions.len(), 4);
}

#[test]
fn nobody_is_granted_what_no_class_has_granted() {
    let mut alone = class();
    alone.node_grants = None;
    alone.limits.access.clear();
    let access = access_for(&[alone]).expect("no role without an id");
    assert!(
        lines(&access)
            .iter()
            .all(|line| !line.starts_with(GRANTS.name))
    );
    assert!(
        access
            .definitions
            .iter()
            .all(|role| role.name != GRANTS.name)
    );

    let mut nodes = class();
    nodes.limits.access.clear();
    nodes.node_grants = nodes.node_grants.map(|grants| NodeGrants {
        identity_operator: IdentityOperatorGrant::None,
        ..grants
    });
    let access = access_for(&[nodes]).expect("no role without an id");
    let contributor = Role::parse(VIRTUAL_MACHINE_CONTRIBUTOR)
        .id()
        .expect("built in");
    let found = conditions(&access, "/subscriptions/s/resourceGroups/nodes");
    assert_eq!(found, [condition(&[contributor].into())]);
    assert_eq!(
        lines(&access)
            .iter()
            .filter(|line| line.starts_with(GRANTS.name))
            .count(),
        1
    );
}

#[test]
fn identities_are_operated_where_the_class_says_and_nowhere_else() {
    use IdentityOperatorGrant::{Identity, None, ResourceGroup, Subscription};
    let group = |name: &str| format!("/subscriptions/s/resourceGroups/{name}");
    let table = [
        (Identity, vec![group("adopted"), group("identities")]),
        (ResourceGroup, vec![group("identities")]),
        (Subscription, vec!["/subscriptions/s".to_owned()]),
        (None, vec![]),
    ];
    for (place, expected) in table {
        let mut class = class();
        class.limits.access.clear();
        class.limits.identity_groups = vec![ArmId::new(group("adopted"))];
        class.node_grants = class.node_grants.map(|grants| NodeGrants {
            identity_operator: place,
            machine_contributor: MachineContributorGrant::None,
            ..grants
        });
        let access = access_for(&[class]).expect("no role without an id");
        let grants = access.assignments.iter();
        let grants = grants.filter(|one| one.role == GRANTS.name);
        let scopes: Vec<&str> = grants.map(|one| one.scope.as_str()).collect();
        assert_eq!(scopes, expected, "{place:?}");
    }
}

#[test]
fn two_classes_of_one_scope_share_an_assignment() {
    let (one, mut other) = (class(), class());
    let limit = other.limits.access.first_mut().expect("one");
    limit.role = "Reader".into();
    limit.scopes = limit
        .scopes
        .iter()
        .map(|at| ArmId::new(at.as_str().to_uppercase()))
        .collect();
    let access = access_for(&[one, other]).expect("roles with ids");
    let apps = conditions(&access, "/subscriptions/s/resourceGroups/apps");
    let reader = Role::parse("Reader").id().expect("built in");
    let secrets = Uuid::try_parse(SECRETS_USER).expect("a GUID");
    assert_eq!(apps, [condition(&[reader, secrets].into())]);
}

#[test]
fn a_role_that_a_condition_cannot_name_is_refused() {
    let mut custom = class();
    custom.limits.access.first_mut().expect("one").role = "Payments \"Auditor\"".into();
    let error = access_for(&[custom]).expect_err("no id").to_string();
    assert!(
        error.starts_with("limits.access[0].role of class prod: "),
        "{error}"
    );
}
