//! Against a bare repository in a folder.

use podid::Exit;
use podid_crds::check;
use serde_json::Value;

use super::fixture::{Bare, SYNC, bootstrap, facts};
use crate::fixture::{Tree, podid};

const PODID: &str = "clusters/prod-1/podid";

#[test]
fn everything_is_one_commit_and_the_second_run_makes_none() {
    let bare = Bare::synced();
    let ran = bare.bootstrap(&[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(ran.out.contains("Add podid to prod-1"), "{}", ran.out);
    let commit = bare.last("main");
    assert_eq!(commit.message(), Ok("Add podid to prod-1\n"));
    assert_eq!(commit.author().name(), Ok("Platform team"));
    assert_eq!(commit.parent(0).unwrap().message(), Ok("Else"));
    insta::assert_snapshot!(bare.files("main").join("\n"));

    let again = bare.bootstrap(&[]);
    assert_eq!((again.exit, again.err.as_str()), (Exit::Done, ""));
    assert!(again.out.contains("up to date"), "{}", again.out);
    assert_eq!(bare.last("main").id(), commit.id());
}

#[test]
fn every_fact_reaches_its_place_and_nothing_of_the_example_stays() {
    let bare = Bare::synced();
    let ran = bare.bootstrap(&[
        "--allow-namespace=payments",
        "--allow-access=Reader=/subscriptions/s",
        "--allow-access=Reader=/subscriptions/t",
        "--neighbours=Audit",
        "--chart-secret=registry",
        "--flux-namespace=gitops",
        "--flux-source=fleet",
        "--class=gold",
    ]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let files = bare.files("main").into_iter();
    let texts = files
        .filter(|path| path.starts_with(PODID))
        .map(|path| format!("--- {path}\n{}", bare.read("main", &path)));
    let texts: String = texts.collect();
    for example in [
        "example.com",
        "clusters/example",
        "1111",
        "2222",
        "3333",
        "4444",
        "westeurope",
        "flux-system",
        "standard",
        "vaults",
    ] {
        assert!(!texts.contains(example), "{example} is left in {texts}");
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn the_class_with_its_limits_is_a_class() {
    let bare = Bare::synced();
    assert_eq!(bare.bootstrap(&["--allow-namespace=*"]).exit, Exit::Done);
    let mut class = bare.yaml("classes/class.yaml");
    let limits = bare.yaml("classes/limits.yaml");
    assert_eq!(class["metadata"], limits["metadata"]);
    class["spec"]["limits"] = limits["spec"]["limits"].clone();
    assert_eq!(check::object(&class).unwrap(), []);
    assert_eq!(class["spec"]["limits"]["namespaces"]["names"][0], "*");
}

#[test]
fn a_dry_run_shows_the_difference_and_pushes_nothing() {
    let bare = Bare::synced();
    let before = bare.last("main").id();
    let ran = bare.bootstrap(&["--dry-run"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(ran.out.contains("+  clusterName: prod-1"), "{}", ran.out);
    assert!(ran.out.contains("nothing was pushed"), "{}", ran.out);
    assert_eq!(bare.last("main").id(), before);

    assert_eq!(bare.bootstrap(&[]).exit, Exit::Done);
    let ran = bare.moved(&["--dry-run"]);
    let changed = |sign: char| {
        let lines = ran.out.lines().filter(move |line| line.starts_with(sign));
        let own = lines.filter(|line| !line.starts_with("+++") && !line.starts_with("---"));
        own.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        changed('-'),
        ["-  podid_location: northeurope", "-  location: northeurope"]
    );
    assert_eq!(
        changed('+'),
        ["+  podid_location: uksouth", "+  location: uksouth"]
    );
}

#[test]
fn a_fact_that_changes_is_told_and_another_class_refused() {
    let bare = Bare::synced();
    assert_eq!(bare.bootstrap(&[]).exit, Exit::Done);
    let ran = bare.bootstrap(&["--class=gold"]);
    assert_eq!(ran.exit, Exit::Failed);
    for words in [
        "classes/limits.yaml is of class standard",
        "give --class standard",
    ] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = bare.moved(&[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let told = "class.yaml: location changes from \"northeurope\" to \"uksouth\"";
    assert!(ran.out.contains(told), "{}", ran.out);
}

#[test]
fn edits_stay_but_in_files_with_podids_line() {
    let bare = Bare::synced();
    assert_eq!(bare.bootstrap(&[]).exit, Exit::Done);
    let at = |name: &str| format!("{PODID}/{name}");
    let edited = |name: &str, text: &str| format!("{}{text}", bare.read("main", &at(name)));
    let limits = edited("classes/limits.yaml", "# ours\n");
    let root =
        edited("kustomization.yaml", "# ours\n").replace("- classes.yaml\n", "- alerts.yaml\n");
    let release = edited("infrastructure/release.yaml", "# by hand\n");
    let source = "# taken over\nkind: OCIRepository\n";
    bare.put(
        "main",
        &[
            (&at("classes/limits.yaml"), &limits),
            (&at("kustomization.yaml"), &root),
            (&at("infrastructure/release.yaml"), &release),
            (&at("infrastructure/source.yaml"), source),
        ],
    );
    let ran = bare.bootstrap(&["--allow-namespace=other"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(bare.read("main", &at("classes/limits.yaml")), limits);
    assert_eq!(bare.read("main", &at("infrastructure/source.yaml")), source);
    assert!(
        ran.out.contains("source.yaml stays as it is"),
        "{}",
        ran.out
    );
    let release = bare.read("main", &at("infrastructure/release.yaml"));
    assert!(!release.contains("by hand"), "{release}");
    let root = bare.read("main", &at("kustomization.yaml"));
    assert!(
        root.contains("- alerts.yaml\n") && root.contains("- classes.yaml\n"),
        "{root}"
    );
    assert!(root.ends_with("# ours\n"), "{root}");
    assert_eq!(bare.last("main").message(), Ok("Update podid of prod-1\n"));
}

#[test]
fn the_kustomization_of_the_cluster_gets_one_entry_and_is_never_made() {
    let bare = Bare::synced();
    let list = "resources:\r\n  - flux-system # by flux\r\n";
    bare.put("main", &[("clusters/prod-1/kustomization.yaml", list)]);
    assert_eq!(bare.bootstrap(&[]).exit, Exit::Done);
    assert_eq!(
        bare.read("main", "clusters/prod-1/kustomization.yaml"),
        format!("{list}  - podid\r\n")
    );
}

#[test]
fn another_branch_is_made_from_the_default_one_and_gets_a_pull_request() {
    let bare = Bare::synced();
    let ran = bare.bootstrap(&["--branch=add/podid", "--message-appendix=[ci skip]"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(
        ran.out.contains("pull request: from add/podid into main"),
        "{}",
        ran.out
    );
    assert_eq!(bare.files("main"), [SYNC]);
    let commit = bare.last("add/podid");
    assert_eq!(commit.message(), Ok("Add podid to prod-1\n\n[ci skip]\n"));
    assert_eq!(commit.parent_id(0).unwrap(), bare.last("main").id());
    // Once it is there, it goes on from where it is.
    let ran = bare.moved(&["--branch=add/podid"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(bare.last("add/podid").parent_id(0).unwrap(), commit.id());
}

#[test]
fn an_empty_repository_gets_its_first_commit() {
    let bare = Bare::empty();
    let ran = bare.bootstrap(&["--author=CI <ci@example.com>"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(ran.out.contains("run `flux bootstrap`"), "{}", ran.out);
    let commit = bare.last("main");
    assert_eq!(
        (commit.parent_count(), commit.author().email()),
        (0, Ok("ci@example.com"))
    );
}

#[test]
fn a_clone_stands_for_its_remote_and_is_left_as_it_is() {
    let bare = Bare::synced();
    let clone = Tree::with(&[("README", "x")]);
    clone.repository.remote("origin", bare.path()).unwrap();
    // Neither a change nor a detached HEAD matters: the clone is not worked in.
    clone.put("README", "half a thought");
    let head = clone.repository.head().unwrap().peel_to_commit().unwrap();
    clone.repository.set_head_detached(head.id()).unwrap();
    let before = clone.status();
    let ran = bootstrap(clone.folder.path().to_str().unwrap(), &[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert_eq!(
        bare.last("main").author().name(),
        Ok("Shop team"),
        "the clone's own setting"
    );
    assert_eq!(clone.status(), before);
    assert_eq!(clone.repository.head().unwrap().target(), Some(head.id()));
}

#[test]
fn the_report_is_for_programs_too() {
    let bare = Bare::synced();
    let ran = bare.bootstrap(&["-o", "json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["commit"]["id"], bare.last("main").id().to_string());
    assert_eq!(
        (&report["upToDate"], &report["branch"]),
        (&false.into(), &"main".into())
    );
    let again: Value = serde_json::from_str(&bare.bootstrap(&["-o", "json"]).out).unwrap();
    assert_eq!(again["upToDate"], true);
}

#[test]
fn a_chart_in_git_is_a_git_repository() {
    let bare = Bare::synced();
    let mut flags = facts();
    let chart = flags
        .iter()
        .position(|flag| flag.starts_with("oci://"))
        .unwrap();
    flags[chart] = "https://git.example.org/platform/podid";
    let ran = podid(&[&["bootstrap", "git", "--repo", bare.path()][..], &flags].concat());
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    insta::assert_snapshot!(format!(
        "{}---\n{}",
        bare.read("main", &format!("{PODID}/infrastructure/source.yaml")),
        bare.read("main", &format!("{PODID}/infrastructure/release.yaml"))
    ));
}
