use super::*;

const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";
const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const WEB: &str = "50000000-0000-4000-8000-00000000000a";

fn read(text: &str) -> Result<Condition, ConditionError> {
    Condition::read(Some(text), None).map(|found| found.expect("a condition"))
}

fn of(role: &str, principal_type: &str) -> AttributesOfAssignment {
    AttributesOfAssignment {
        role: role.into(),
        principal_id: WEB.into(),
        principal_type: principal_type.into(),
    }
}

fn writes(text: &str, assignment: &AttributesOfAssignment) -> bool {
    read(text).expect("well-formed").allows(&Attempt {
        request: Some(assignment),
        ..Attempt::of(WRITE)
    })
}

fn deletes(text: &str, assignment: &AttributesOfAssignment) -> bool {
    read(text).expect("well-formed").allows(&Attempt {
        resource: Some(assignment),
        ..Attempt::of(DELETE)
    })
}

/// `@SOURCE[…:ATTRIBUTE] ForAnyOfAnyValues:OPERATOR {VALUES}`
fn compare(source: &str, attribute: &str, operator: &str, values: &str) -> String {
    let name = format!("Microsoft.Authorization/roleAssignments:{attribute}");
    format!("@{source}[{name}] ForAnyOfAnyValues:{operator} {{{values}}}")
}

fn role_is(values: &str) -> String {
    compare("Request", "RoleDefinitionId", "GuidEquals", values)
}

#[test]
fn guid_equals_takes_any_of_its_values_in_any_case() {
    let both = role_is(&format!("{WEB}, {}", READER.to_uppercase()));
    assert!(writes(&both, &of(READER, "User")));
    assert!(!writes(&both, &of(OWNER, "User")));
    let principal = compare("Request", "PrincipalId", "GuidEquals", WEB);
    assert!(writes(&principal, &of(OWNER, "User")));
    assert!(!writes(&role_is(READER), &of("no-guid", "User")));
}

#[test]
fn string_equals_minds_letter_case_unless_it_is_to_ignore_it() {
    let typed = |operator| compare("Request", "PrincipalType", operator, "'Group', 'User'");
    for (principal_type, exactly, in_any_case) in [
        ("User", true, true),
        ("USER", false, true),
        ("ServicePrincipal", false, false),
    ] {
        let assignment = of(READER, principal_type);
        assert_eq!(writes(&typed("StringEquals"), &assignment), exactly);
        let ignoring = typed("StringEqualsIgnoreCase");
        assert_eq!(writes(&ignoring, &assignment), in_any_case);
    }
}

#[test]
fn the_request_is_not_the_resource_and_what_is_not_there_equals_nothing() {
    let reader = of(READER, "User");
    let on_resource = compare("Resource", "RoleDefinitionId", "GuidEquals", READER);
    assert!(deletes(&on_resource, &reader) && !writes(&on_resource, &reader));
    assert!(writes(&role_is(READER), &reader) && !deletes(&role_is(READER), &reader));
    let neither = Attempt::of(WRITE);
    assert!(
        !read(&role_is(READER))
            .expect("well-formed")
            .allows(&neither)
    );
}

#[test]
fn action_matches_takes_stars_and_its_negation_the_other_actions() {
    let holds = |text: &str, action: &str| {
        let condition = read(text).expect("well-formed");
        condition.allows(&Attempt::of(action))
    };
    let write = format!("ActionMatches{{'{WRITE}'}}");
    assert!(holds(&write, &WRITE.to_uppercase()) && !holds(&write, READ));
    let all = "ActionMatches{'Microsoft.Authorization/*'}";
    assert!(holds(all, READ) && !holds(all, "Microsoft.Compute/virtualMachines/read"));
    for not in [format!("!({write})"), format!("NOT ( {write} )")] {
        assert!(holds(&not, READ) && !holds(&not, WRITE), "{not}");
    }
}

#[test]
fn and_needs_all_and_or_needs_one() {
    let [yes, no] = ["write", "delete"]
        .map(|verb| format!("ActionMatches{{'Microsoft.Authorization/roleAssignments/{verb}'}}"));
    let holds = |text: &str| writes(text, &of(READER, "User"));
    for (and, or) in [("AND", "OR"), ("&&", "||")] {
        assert!(holds(&format!("{yes} {and} {yes}")));
        assert!(!holds(&format!("{yes} {and} {yes} {and} {no}")));
        assert!(holds(&format!("{no} {or} {no} {or} {yes}")));
        assert!(!holds(&format!("{no} {or} {no}")));
        assert!(holds(&format!("({no} {and} {no}) {or} {yes}")));
        assert!(!holds(&format!("{no} {and} ({no} {or} {yes})")));
    }
}

#[test]
fn the_published_condition_limits_what_is_granted_and_what_is_taken_away() {
    let one = |action: &str, source: &str| {
        let role = compare(source, "RoleDefinitionId", "GuidEquals", READER);
        let principal = compare(
            source,
            "PrincipalType",
            "StringEqualsIgnoreCase",
            "'ServicePrincipal'",
        );
        format!("(\n (!(ActionMatches{{'{action}'}}))\n OR\n ({role}\n AND\n {principal})\n)")
    };
    let text = format!(
        "{}\nAND\n{}\n",
        one(WRITE, "Request"),
        one(DELETE, "Resource")
    );
    for (role, principal_type, expected) in [
        (READER, "ServicePrincipal", true),
        (OWNER, "ServicePrincipal", false),
        (READER, "User", false),
    ] {
        let assignment = of(role, principal_type);
        assert_eq!(writes(&text, &assignment), expected);
        assert_eq!(deletes(&text, &assignment), expected);
    }
    let reads = Attempt::of(READ);
    assert!(read(&text).expect("well-formed").allows(&reads));
}

#[test]
fn what_azure_refuses_is_malformed() {
    let role = role_is(READER);
    let mixed = format!("{role} AND {role} OR {role}");
    for text in [
        " ",
        "(",
        ")",
        "()",
        "!",
        "{",
        "'",
        "'open",
        "@",
        "@Request",
        "@Request[",
        "ActionMatches",
        "ActionMatches{}",
        "ActionMatches{'a', 'b'}",
        "ActionMatches{a}",
        "!ActionMatches{'a'}",
        &format!("({role}"),
        &format!("{role})"),
        &format!("{role} AND"),
        &format!(", {role}"),
        &format!("{role} {role}"),
        &mixed,
        &role_is(""),
        &role_is("ROLES"),
        &role_is(&format!("'{READER}'")),
        &role_is(&format!("{READER},")),
        &compare("Request", "PrincipalType", "StringEquals", "User"),
    ] {
        let refused = read(text).map(|_| ());
        assert!(
            matches!(refused, Err(ConditionError::Malformed(_))),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn what_the_simulator_does_not_know_is_not_simulated() {
    let role = role_is(READER);
    for text in [
        &role.replace("GuidEquals", "GuidNotEquals"),
        &role.replace("ForAnyOfAnyValues", "ForAllOfAllValues"),
        &role.replace("ForAnyOfAnyValues:", ""),
        &role.replace("RoleDefinitionId", "Condition"),
        &role.replace("Microsoft.Authorization/roleAssignments", "x"),
        &role.replace("Request", "Principal"),
        &format!("!({role})"),
        &format!("{role} XOR {role}"),
        "SubOperationMatches{'a'}",
        "é",
        &format!("Exists {role}"),
        &format!("{}{role}{}", "(".repeat(100_000), ")".repeat(100_000)),
    ] {
        let refused = read(text).map(|_| ());
        assert!(
            matches!(refused, Err(ConditionError::NotSimulated(_))),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn there_is_one_version_and_no_condition_without_text() {
    let role = role_is(READER);
    let made = |text, version| Condition::read(text, version);
    assert!(matches!(made(None, Some("2.0")), Ok(None)));
    assert!(matches!(made(Some(""), None), Ok(None)));
    let condition = made(Some(&role), Some("2.0"))
        .expect("well-formed")
        .expect("a condition");
    assert_eq!((condition.text(), condition.version()), (&*role, "2.0"));
    let old = made(Some(&role), Some("1.0")).map(|_| ());
    assert_eq!(old, Err(ConditionError::Malformed("version 1.0".into())));
}
