//! `podid plan OLD..NEW`.

use podid::Exit;
use serde_json::Value;

use crate::fixture::{Ran, Tree};
use crate::plan::{CLASS, PROFILE};

const VAULT: &str = "/subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/v";

fn start() -> Tree {
    Tree::with(&[
        ("classes/standard.yaml", CLASS),
        ("payments/checkout.yaml", PROFILE),
    ])
}

fn plan(tree: &Tree, flags: &[&str]) -> Ran {
    let base = ["plan", "HEAD~1..HEAD", "--namespace-label=podid=allowed"];
    tree.podid(&[&base, flags].concat())
}

fn json(tree: &Tree, exit: Exit) -> Value {
    let ran = plan(tree, &["-o", "json"]);
    assert_eq!((ran.exit, ran.err.as_str()), (exit, ""), "{}", ran.out);
    serde_json::from_str(&ran.out).unwrap()
}

fn steps(plan: &Value) -> Vec<&str> {
    let steps = plan["plan"]["steps"].as_array().unwrap().iter();
    steps.map(|step| step["step"].as_str().unwrap()).collect()
}

fn words<'a>(plan: &'a Value, which: &str) -> Vec<&'a str> {
    let rights = plan["rights"][which].as_array().unwrap().iter();
    rights
        .map(|right| right["words"].as_str().unwrap())
        .collect()
}

#[test]
fn a_right_that_is_taken_out_of_the_file_is_lost_and_one_that_is_added_gained() {
    let tree = start();
    let wider = PROFILE.replace(VAULT, "/subscriptions/s/resourceGroups/vaults");
    let fewer = wider.split("    - role: Payments Auditor").next().unwrap();
    tree.commit(&[("payments/checkout.yaml", fewer)], &[]);
    let report = json(&tree, Exit::Changes);
    let plan = &report["profiles"][0];
    assert_eq!(plan["change"], "Changed");
    assert_eq!(
        words(plan, "gained"),
        ["read on all secrets of every vault in resource group vaults (Key Vault Secrets User)"]
    );
    // What the wider scope covers is not lost.
    assert_eq!(
        words(plan, "lost"),
        ["the role Payments Auditor on subscription s"]
    );
    assert_eq!(steps(plan), ["GrantRole", "RevokeRole", "RevokeRole"]);
    let writes = &report["azure"]["s"];
    assert_eq!(
        (&writes["rolePuts"], &writes["roleDeletes"]),
        (&1.into(), &2.into())
    );
    let text = self::plan(&tree, &[]).out;
    assert!(
        text.contains("revoke Payments Auditor on /subscriptions/s from"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_gone_is_a_deletion_of_everything() {
    let tree = start();
    tree.commit(&[], &["payments/checkout.yaml"]);
    let ran = plan(&tree, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    insta::assert_snapshot!(ran.out);
    let report = json(&tree, Exit::Changes);
    assert_eq!(report["profiles"][0]["change"], "Deleted");
    // Identity, two roles, and the role of the kubelet identity on the identity.
    let writes = &report["azure"];
    assert_eq!(writes["s"]["roleDeletes"], 2);
    let own = &writes["99999999-2222-3333-4444-555555555555"];
    assert_eq!(
        (&own["identityDeletes"], &own["roleDeletes"]),
        (&1.into(), &1.into())
    );
    assert_eq!(own["rolePuts"], 0);
}

#[test]
fn what_is_not_touched_is_not_told() {
    let tree = start();
    let other = PROFILE.replace("name: checkout", "name: refunds");
    tree.commit(&[("payments/refunds.yaml", &other), ("README", "x")], &[]);
    let report = json(&tree, Exit::Changes);
    let changes: Vec<&Value> = report["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["change"])
        .collect();
    assert_eq!(changes, ["Unchanged", "Added"]);
    // The role that the kubelet identity has for all profiles is there already.
    let granted = steps(&report["profiles"][1]);
    assert_eq!(
        granted
            .iter()
            .filter(|step| **step == "GrantNodeRole")
            .count(),
        1
    );
    let text = plan(&tree, &[]).out;
    assert!(
        text.contains("1 profile as before") && !text.contains("payments/checkout,"),
        "{text}"
    );

    tree.commit(&[("README", "y")], &[]);
    let ran = plan(&tree, &[]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(ran.out.contains("2 profiles as before"), "{}", ran.out);
}

#[test]
fn another_selector_moves_the_identity_from_pods_to_pods() {
    let tree = start();
    let other = format!("{PROFILE}  binding: {{selector: basket, serviceAccounts: [web]}}\n");
    tree.commit(&[("payments/checkout.yaml", &other)], &[]);
    let text = plan(&tree, &[]).out;
    for words in [
        "pods of namespace payments with aadpodidbinding=checkout lose its identity",
        "pods of namespace payments with aadpodidbinding=basket and service account web use its identity",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_class_that_allows_less_is_a_violation_with_the_line_of_the_profile() {
    let tree = start();
    let less = CLASS
        .split("      - role: Payments Auditor")
        .next()
        .unwrap();
    tree.commit(&[("classes/standard.yaml", less)], &[]);
    let report = json(&tree, Exit::Violations);
    let violation = &report["profiles"][0]["violations"][0];
    assert_eq!(violation["field"], "spec.access[1].role");
    assert_eq!(violation["place"]["file"], "payments/checkout.yaml");
    assert_eq!(violation["place"]["line"], 9);

    let sarif = plan(&tree, &["-o", "sarif"]);
    assert_eq!(sarif.exit, Exit::Violations);
    let sarif: Value = serde_json::from_str(&sarif.out).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "NotAllowedByClass");
    let at = &result["locations"][0]["physicalLocation"];
    assert_eq!(at["artifactLocation"]["uri"], "payments/checkout.yaml");
    assert_eq!(at["region"]["startLine"], 9);

    let markdown = plan(&tree, &["-o", "markdown"]);
    assert!(markdown.out.contains("**Refused**"), "{}", markdown.out);
}

#[test]
fn a_comment_of_a_pull_request_says_it_all() {
    let tree = start();
    let other = PROFILE.replace("name: checkout", "name: refunds");
    tree.commit(
        &[("payments/refunds.yaml", &other)],
        &["payments/checkout.yaml"],
    );
    let ran = plan(&tree, &["-o", "markdown"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    insta::assert_snapshot!(ran.out);
}

#[test]
fn three_dots_begin_where_the_branch_began() {
    let tree = start();
    let repository = &tree.repository;
    let first = repository.head().unwrap().peel_to_commit().unwrap();
    repository.branch("team", &first, false).unwrap();
    let other = PROFILE.replace("name: checkout", "name: refunds");
    // Somebody else's commit on main is no deletion of the branch.
    tree.commit(&[("payments/refunds.yaml", &other)], &[]);
    for (range, exit, words) in [
        (
            "main..team",
            Exit::Changes,
            "payments/refunds, class standard, deleted",
        ),
        ("main...team", Exit::Done, "1 profile as before"),
        (
            "team..",
            Exit::Changes,
            "payments/refunds, class standard, payments/refunds.yaml:3",
        ),
    ] {
        let ran = tree.podid(&["plan", range, "--namespace-label=podid=allowed"]);
        assert_eq!(ran.exit, exit, "{range}: {ran:?}");
        assert!(ran.out.contains(words), "{range}: {}", ran.out);
    }
    assert_eq!(tree.status(), [], "nothing is checked out or written");
}

#[test]
fn what_is_no_range_is_named() {
    let tree = start();
    for (range, words) in [
        ("HEAD..nowhere", "\"nowhere\" is no commit"),
        ("..HEAD~7", "\"HEAD~7\" is no commit"),
        ("HEAD:payments..HEAD", "\"HEAD:payments\" is no commit"),
    ] {
        let ran = tree.podid(&["plan", range]);
        assert_eq!(ran.exit, Exit::Failed, "{range}");
        assert!(
            ran.err.contains(words) && ran.out.is_empty(),
            "{range}: {ran:?}"
        );
        assert!(!ran.err.contains("shallow"), "{}", ran.err);
    }
    // As `git clone --depth 1` leaves it.
    let head = tree
        .repository
        .head()
        .unwrap()
        .peel_to_commit()
        .unwrap()
        .id();
    tree.put(".git/shallow", &format!("{head}\n"));
    let ran = tree.podid(&["plan", "HEAD~1..HEAD"]);
    assert!(ran.err.contains("the clone is shallow"), "{}", ran.err);

    let nowhere = tempfile::TempDir::new().unwrap();
    let nowhere = nowhere.path().to_str().unwrap();
    let ran = crate::fixture::podid(&["plan", "a..b", "--repo", nowhere]);
    assert!(
        ran.err.contains("is not in a git repository"),
        "{}",
        ran.err
    );
}

#[test]
fn a_link_out_of_the_tree_is_not_followed() {
    let tree = start();
    std::os::unix::fs::symlink("../../etc/passwd", tree.path("payments/x.yaml")).unwrap();
    let mut index = tree.repository.index().unwrap();
    index
        .add_path(std::path::Path::new("payments/x.yaml"))
        .unwrap();
    index.write().unwrap();
    tree.commit(&[], &[]);
    let ran = plan(&tree, &[]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(
        ran.err
            .contains("payments/x.yaml of HEAD is a symbolic link out of the tree"),
        "{}",
        ran.err
    );
}

/// A cluster of a fleet: its class and a profile.
fn cluster(name: &str) -> [(String, String); 2] {
    let path = |file: &str| format!("clusters/{name}/{file}");
    [
        (path("standard.yaml"), CLASS.to_owned()),
        (path("checkout.yaml"), PROFILE.to_owned()),
    ]
}

fn commit(tree: &Tree, files: &[(String, String)]) {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    tree.commit(&files, &[]);
}

#[test]
fn the_first_cluster_of_a_repository_is_told_once() {
    let tree = Tree::with(&[("README", "x")]);
    commit(&tree, &cluster("one"));
    let report = json(&tree, Exit::Changes);
    let profiles = report["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 1, "{report:#}");
    assert_eq!(profiles[0]["change"], "Added");
}

#[test]
fn files_that_become_those_of_a_cluster_change_nothing() {
    let tree = start();
    commit(&tree, &cluster("one"));
    tree.commit(&[], &["classes/standard.yaml", "payments/checkout.yaml"]);
    let ran = tree.podid(&["plan", "HEAD~2..HEAD", "--namespace-label=podid=allowed"]);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (Exit::Done, "1 profile as before\n")
    );
}

#[test]
fn a_plan_that_fails_says_so_where_a_pull_request_is_read() {
    let tree = start();
    tree.commit(&[("payments/refunds.yaml", "# podid.dev\na: [\n")], &[]);
    let comment = plan(&tree, &["-o", "markdown"]);
    assert_eq!(comment.exit, Exit::Failed);
    for words in ["**There is no plan.**", "payments/refunds.yaml:"] {
        assert!(comment.out.contains(words), "{}", comment.out);
    }
    let sarif = plan(&tree, &["-o", "sarif"]);
    let log: Value = serde_json::from_str(&sarif.out).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "NoPlan", "{log:#}");
    assert!(
        sarif.err.contains("payments/refunds.yaml:"),
        "{}",
        sarif.err
    );
}

#[test]
fn a_comment_has_room_for_what_is_refused_and_says_what_it_leaves_out() {
    let tree = start();
    let named = |name: &str| PROFILE.replace("name: checkout", &format!("name: {name}"));
    let mut profiles: Vec<String> = (0..200)
        .map(|number| named(&format!("app-{number}")))
        .collect();
    profiles.push(named("zulu").replace("Key Vault Secrets User", "Owner"));
    tree.commit(&[("payments/all.yaml", &profiles.join("---\n"))], &[]);
    let ran = plan(&tree, &["-o", "markdown"]);
    assert_eq!(ran.exit, Exit::Violations);
    assert!(ran.out.len() < 65_536, "{}", ran.out.len());
    assert!(
        ran.out.contains("for which a comment has no room"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("#### payments/zulu"), "{}", ran.out);
}

#[test]
fn a_plan_gives_the_pipeline_no_commands() {
    let tree = start();
    let hostile = PROFILE.replace("Payments Auditor", "'##vso[task.setvariable variable=x]y'");
    tree.commit(&[("payments/checkout.yaml", &hostile)], &[]);
    let ran = plan(&tree, &[]);
    let said = ran.out + &ran.err;
    assert!(said.contains("task.setvariable"), "{said}");
    assert!(!said.contains("##vso["), "{said}");
}

const WIDER: &str = "role: Contributor";

fn wider() -> String {
    PROFILE.replace("role: Payments Auditor", WIDER)
}

#[test]
fn a_folder_with_the_name_of_the_range_is_not_planned_in_its_place() {
    let tree = start();
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    tree.commit(
        &[
            ("payments/checkout.yaml", &wider()),
            ("HEAD~1..HEAD/a.yaml", config),
        ],
        &[],
    );
    let ran = plan(&tree, &[]);
    assert!(
        ran.out.contains("gains the role Contributor") || ran.out.contains("Contributor"),
        "{}",
        ran.out
    );
}

#[test]
fn what_stays_beside_a_first_cluster_is_planned_too() {
    let tree = start();
    commit(&tree, &cluster("x"));
    tree.commit(&[("payments/checkout.yaml", &wider())], &[]);
    let ran = tree.podid(&["plan", "HEAD~2..HEAD", "--namespace-label=podid=allowed"]);
    assert_ne!(ran.exit, Exit::Done, "{}", ran.out);
    assert!(ran.out.contains("Contributor"), "{}", ran.out);
}

#[test]
fn the_last_folder_of_a_cluster_may_go() {
    let tree = Tree::with(&[("README", "x")]);
    commit(&tree, &cluster("one"));
    let gone = ["clusters/one/standard.yaml", "clusters/one/checkout.yaml"];
    tree.commit(&[("README", "y")], &gone);
    let report = json(&tree, Exit::Changes);
    assert_eq!(report["profiles"][0]["change"], "Deleted", "{report:#}");
}

#[test]
fn what_stays_beside_a_first_cluster_is_planned_also_where_the_older_version_is_broken() {
    let tree = start();
    tree.commit(&[("payments/broken.yaml", "# podid.dev\na: [\n")], &[]);
    commit(&tree, &cluster("x"));
    let other = wider().replace("name: checkout", "name: refunds");
    tree.commit(
        &[("payments/refunds.yaml", &other)],
        &["payments/broken.yaml"],
    );
    let ran = tree.podid(&["plan", "HEAD~2..HEAD", "--namespace-label=podid=allowed"]);
    assert!(ran.out.contains("payments/refunds"), "{}", ran.out);
}

#[test]
fn what_moves_to_one_of_several_clusters_is_deleted_in_none() {
    let tree = start();
    commit(&tree, &cluster("one"));
    let class = ("clusters/two/standard.yaml".to_owned(), CLASS.to_owned());
    commit(&tree, &[class]);
    tree.commit(&[], &["classes/standard.yaml", "payments/checkout.yaml"]);
    let ran = tree.podid(&["plan", "HEAD~3..HEAD", "--namespace-label=podid=allowed"]);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (Exit::Done, "1 profile as before\n")
    );
}

#[test]
fn a_right_shows_when_podid_begins_to_act_on_it() {
    let suspended = PROFILE.to_owned() + "  suspend: true\n";
    let tree = start();
    tree.commit(&[("payments/checkout.yaml", &suspended)], &[]);
    tree.commit(&[("payments/checkout.yaml", PROFILE)], &[]);
    let ran = plan(&tree, &[]);
    for words in [
        "gains the role Payments Auditor",
        "did not act on the older version",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
}

#[test]
fn a_commit_that_mends_a_broken_version_gets_a_plan() {
    let tree = start();
    tree.commit(&[("payments/broken.yaml", "# podid.dev\na: [\n")], &[]);
    tree.commit(&[], &["payments/broken.yaml"]);
    let ran = plan(&tree, &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Changes, ""));
    assert!(
        ran.out
            .contains("HEAD~1 cannot be planned, so all counts as new"),
        "{}",
        ran.out
    );
}

#[test]
fn a_kind_that_podid_does_not_have_is_no_deletion() {
    for (from, to) in [
        ("kind: PodIdentityProfile", "kind: PodIdentityProfil"),
        ("podid.dev/v1alpha1", "podid.dev/v1alpha2"),
        ("podid.dev/v1alpha1", "podid.io/v1alpha1"),
    ] {
        let tree = start();
        tree.commit(
            &[("payments/checkout.yaml", &PROFILE.replace(from, to))],
            &[],
        );
        let ran = plan(&tree, &[]);
        assert_eq!(ran.exit, Exit::Failed, "{to}: {}", ran.out);
        assert!(
            ran.err.contains("would be refused by the API server"),
            "{to}: {}",
            ran.err
        );
    }
}

#[test]
fn a_folder_that_is_in_neither_version_is_named() {
    let tree = start();
    tree.commit(&[("README", "x")], &[]);
    let ran = plan(&tree, &["--path=nosuch"]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(
        ran.err.contains("nosuch is a folder in neither version"),
        "{}",
        ran.err
    );
}

#[test]
fn only_pods_that_lose_the_identity_are_said_to() {
    let of = |accounts: &str| {
        let binding = format!("spec:\n  binding: {{serviceAccounts: [{accounts}]}}\n");
        match accounts {
            "" => PROFILE.to_owned(),
            _ => PROFILE.replace("spec:\n", &binding),
        }
    };
    for (before, after, lose) in [
        ("a", "a, b", None),
        ("a, b", "a", Some("service account b lose")),
        ("", "a", Some("another service account than a lose")),
        ("a", "", None),
    ] {
        let tree = Tree::with(&[
            ("classes/standard.yaml", CLASS),
            ("payments/checkout.yaml", &of(before)),
        ]);
        tree.commit(&[("payments/checkout.yaml", &of(after))], &[]);
        let out = plan(&tree, &[]).out;
        match lose {
            Some(words) => assert!(out.contains(words), "{before} to {after}: {out}"),
            None => assert!(!out.contains(" lose "), "{before} to {after}: {out}"),
        }
    }
}
