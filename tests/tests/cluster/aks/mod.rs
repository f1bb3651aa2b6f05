//! The page docs/aks.md: what its commands make in Azure is what podid needs, no less and no more.

mod az;
mod life;
mod owner;
mod reader;
mod stage;

use std::collections::BTreeSet;

use podid_core::role::Role;
use podid_lab::layout::{OPERATOR_ACCOUNT, RESOURCE_GROUP};

use az::Call;
use reader::{Reader, STORES};

/// What a condition lets the operator grant and take away: the GUIDs of its roles, each list once.
fn lists_of(condition: &str) -> BTreeSet<BTreeSet<String>> {
    let lists = condition.split("ForAnyOfAnyValues:GuidEquals {").skip(1);
    let list = |rest: &str| {
        let list = rest.split_once('}').expect("the end of a list").0;
        list.split(", ").map(str::to_owned).collect()
    };
    lists.map(list).collect()
}

/// The GUIDs of roles that podid knows by these names.
fn ids<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let id = |name| Role::parse(name).id().expect("a built-in role").to_string();
    names.into_iter().map(id).collect()
}

/// The conditions under which the operator may grant roles in a resource group.
fn conditions<'a>(calls: &'a [Call], group: &str) -> Vec<&'a str> {
    let assignments = calls
        .iter()
        .filter(|call| call.is("role assignment create"));
    let here = assignments.filter(|call| {
        call.flag("--role") == Some("podid grants")
            && call
                .flag("--scope")
                .is_some_and(|scope| scope.ends_with(&format!("/{group}")))
    });
    here.map(|call| {
        assert_eq!(call.flag("--condition-version"), Some("2.0"));
        call.flag("--condition").expect("a condition")
    })
    .collect()
}

#[test]
fn the_operator_may_grant_the_roles_of_the_class_and_no_others() {
    let reader = Reader::new();
    let calls = reader.prepares_azure();
    let class = reader.writes_class_and_profile();
    let access = class["spec"]["limits"]["access"].as_array().unwrap();
    let allowed = ids(access.iter().filter_map(|limit| limit["role"].as_str()));
    assert_eq!(allowed.len(), 2);
    let node_roles = ids(["Managed Identity Operator", "Virtual Machine Contributor"]);
    for (group, roles) in [(STORES, &allowed), (RESOURCE_GROUP, &node_roles)] {
        let [condition] = conditions(&calls, group)[..] else {
            panic!("one assignment in {group}: {calls:?}")
        };
        assert_eq!(lists_of(condition), BTreeSet::from([roles.clone()]));
        // Both to grant and to take away, and to service principals only.
        for (action, of) in [("write", "@Request"), ("delete", "@Resource")] {
            let own = "Microsoft.Authorization/roleAssignments";
            assert!(condition.contains(&format!("!(ActionMatches{{'{own}/{action}'}})")));
            let list = format!("{of}[{own}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{");
            assert_eq!(condition.matches(&list).count(), 1, "{condition}");
            let principals = format!(
                "{of}[{own}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}"
            );
            assert_eq!(condition.matches(&principals).count(), 1, "{condition}");
        }
    }
}

#[test]
fn azure_believes_the_token_of_the_operators_account_only() {
    let calls = Reader::new().prepares_azure();
    let made: Vec<&Call> = calls
        .iter()
        .filter(|call| call.is("identity federated-credential create"))
        .collect();
    let [credential] = made[..] else {
        panic!("one credential: {calls:?}")
    };
    assert_eq!(credential.flag("--subject"), Some(OPERATOR_ACCOUNT));
    assert_eq!(
        credential.flag("--audiences"),
        Some("api://AzureADTokenExchange")
    );
    assert_eq!(credential.flag("--issuer"), Some(az::ISSUER));
}

#[test]
fn what_the_page_makes_it_removes() {
    let reader = Reader::new();
    let made = reader.prepares_azure();
    let removed = reader.removes_all();
    let roles = reader.roles(&made);
    let definitions = roles.iter().filter_map(|role| role["Name"].as_str());
    let deleted = |command: &str| -> BTreeSet<&str> {
        let calls = removed.iter().filter(|call| call.is(command));
        calls.filter_map(|call| call.flag("--name")).collect()
    };
    assert_eq!(
        definitions.collect::<BTreeSet<_>>(),
        deleted("role definition delete")
    );
    assert_eq!(roles.len(), 4);
    assert!(deleted("group delete").contains("podid"));
    let assignments: Vec<&Call> = removed
        .iter()
        .filter(|call| call.is("role assignment delete"))
        .collect();
    assert_eq!(assignments[0].flag("--ids"), Some(az::ASSIGNMENT));
}
