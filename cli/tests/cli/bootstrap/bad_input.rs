//! What is wrong is named, and nothing is pushed.

use podid::Exit;
use tempfile::TempDir;

use super::fixture::{Bare, bootstrap, facts};
use crate::fixture::{Tree, podid};

const CLASS: &str = "clusters/prod-1/podid/classes/class.yaml";

/// Refused with these words, and the branch as before.
fn refused(bare: &Bare, flags: &[&str], words: &str) {
    let before = bare.last("main").id();
    let ran = bare.bootstrap(flags);
    assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
    assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
    assert_eq!(ran.out, "");
    assert_eq!(bare.last("main").id(), before);
}

#[test]
fn a_symbolic_link_on_the_way_is_not_followed() {
    for path in [
        "clusters",
        "clusters/prod-1",
        "clusters/prod-1/podid",
        CLASS,
    ] {
        let bare = Bare::empty();
        bare.put("main", &[("README", "x")]);
        bare.put_with("main", &[(path, b"/etc")], 0o120_000);
        refused(
            &bare,
            &[],
            &format!("{path} in the repository is a symbolic link"),
        );
    }
}

#[test]
fn what_is_in_the_way_is_named() {
    let bare = Bare::synced();
    bare.put("main", &[("clusters/prod-1/podid", "a file")]);
    refused(
        &bare,
        &[],
        "clusters/prod-1/podid in the repository is a file",
    );
    let bare = Bare::synced();
    bare.put("main", &[(&format!("{CLASS}/x"), "a folder")]);
    refused(&bare, &[], "class.yaml in the repository is a folder");
}

#[test]
fn a_huge_file_or_one_that_is_no_text_is_not_changed() {
    let bare = Bare::synced();
    bare.put("main", &[(CLASS, &"x".repeat((1 << 20) + 1))]);
    refused(
        &bare,
        &[],
        "class.yaml in the repository is larger than 1 MiB",
    );
    let bare = Bare::synced();
    bare.put_with("main", &[(CLASS, b"\xff\xfe")], 0o100_644);
    refused(&bare, &[], "class.yaml in the repository is not UTF-8 text");
}

#[test]
fn a_kustomization_that_cannot_be_edited_is_left_alone_and_named() {
    for text in [
        "resources: [flux-system]\n",
        "resources:\n\t- a\n",
        "resources: [a]\nresources: [b]\n",
    ] {
        let bare = Bare::synced();
        let path = "clusters/prod-1/kustomization.yaml";
        bare.put("main", &[(path, text)]);
        let ran = bare.bootstrap(&[]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
        assert!(
            ran.out.contains("add podid to the resources of"),
            "{}",
            ran.out
        );
        assert_eq!(bare.read("main", path), text);
    }
}

#[test]
fn a_cluster_path_stays_in_the_repository() {
    let bare = Bare::synced();
    for path in ["..", "a/../../b", "/etc", ".", ".git/hooks", "a/.GIT"] {
        let mut flags = facts();
        flags[1] = path;
        let ran = podid(&[&["bootstrap", "git", "--repo", bare.path()][..], &flags].concat());
        assert_eq!(ran.exit, Exit::Failed, "{path}");
        assert!(
            ran.err.contains("is not a folder of the repository"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_class_that_would_be_refused_is_refused_here() {
    let bare = Bare::synced();
    for (flag, words) in [
        ("--allow-access=Raeder=/subscriptions/s", "did you mean"),
        ("--class=Not A Name", "metadata.name"),
    ] {
        refused(&bare, &[flag], words);
    }
    let mut flags = facts();
    let tenant = flags.iter().position(|flag| *flag == "--tenant").unwrap();
    flags[tenant + 1] = "my tenant";
    let ran = podid(&[&["bootstrap", "git", "--repo", bare.path()][..], &flags].concat());
    assert!(ran.err.contains("tenantId must be a GUID"), "{}", ran.err);
}

#[test]
fn a_client_id_that_is_none_is_refused() {
    let bare = Bare::synced();
    let client_id = |flags: &[&'static str]| flags.iter().position(|flag| *flag == "--client-id");
    for wrong in [
        "podid",
        "09e4a704-0000-4000-8000-00000000000g",
        "09e4a704-0000-4000-8000-0000000000010",
    ] {
        let mut flags = facts();
        let at = client_id(&flags).unwrap();
        flags[at + 1] = wrong;
        let ran = podid(&[&["bootstrap", "git", "--repo", bare.path()][..], &flags].concat());
        assert_eq!(ran.exit, Exit::Failed, "{wrong}");
        assert!(
            ran.err.contains("--client-id") && ran.err.contains("no GUID"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_chart_that_would_leak_or_is_none_is_refused() {
    let bare = Bare::synced();
    for (chart, words) in [
        (
            "https://user:hunter2@git.example.org/podid",
            "would be committed",
        ),
        ("oci://token@r.example.org/podid", "would be committed"),
        ("./podid", "neither oci:// nor"),
        ("http://git.example.org/podid", "http:// sends tokens"),
    ] {
        let mut flags = facts();
        let at = flags
            .iter()
            .position(|flag| flag.starts_with("oci://"))
            .unwrap();
        flags[at] = chart;
        let ran = podid(&[&["bootstrap", "git", "--repo", bare.path()][..], &flags].concat());
        assert_eq!(ran.exit, Exit::Failed, "{chart}");
        assert!(ran.err.contains(words), "{}", ran.err);
        assert!(
            !ran.err.contains("hunter2") && !ran.err.contains("token@"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_repository_that_is_none_or_has_no_remote_is_named() {
    let folder = TempDir::new().unwrap();
    let ran = bootstrap(folder.path().to_str().unwrap(), &[]);
    assert!(
        ran.err.contains("is not in a git working tree"),
        "{}",
        ran.err
    );
    let clone = Tree::with(&[("README", "x")]);
    let ran = bootstrap(clone.folder.path().to_str().unwrap(), &[]);
    assert!(ran.err.contains("has no remote to push to"), "{}", ran.err);
    for (url, words) in [
        ("http://git.example.org/a", "http:// sends tokens"),
        ("git://git.example.org/a", "does not push to git://"),
        ("ext::sh -c touch% x", "does not push to ext://"),
    ] {
        let ran = bootstrap(url, &[]);
        assert_eq!(ran.exit, Exit::Failed, "{url}");
        assert!(ran.err.contains(words), "{url}: {}", ran.err);
    }
}

#[test]
fn a_branch_needs_a_name() {
    let bare = Bare::synced();
    refused(
        &bare,
        &["--branch=a..b"],
        "\"a..b\" is not the name of a branch",
    );
}

#[test]
fn a_branch_of_another_history_is_not_built_upon() {
    let bare = Bare::synced();
    bare.put("pages", &[("index.html", "<p>")]);
    let before = bare.last("pages").id();
    let words = "branch pages has no commit in common with main, so no pull request could bring it there; give another \
                 --branch";
    refused(&bare, &["--branch=pages"], words);
    assert_eq!(bare.last("pages").id(), before);
    // One that has begun there is extended, however far main is by now.
    let flags = ["--branch=add-podid"];
    assert_eq!(bare.bootstrap(&flags).exit, Exit::Done);
    bare.put("main", &[("README", "x")]);
    let ran = bare.moved(&flags);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
    assert_eq!(bare.last("add-podid").parent_count(), 1);
}

#[test]
fn a_submodule_on_the_way_is_named() {
    let bare = Bare::synced();
    let commit = bare.last("main").id();
    bare.submodule("main", "clusters/prod-1/podid", commit);
    refused(
        &bare,
        &[],
        "clusters/prod-1/podid in the repository is a submodule",
    );
}

#[test]
fn nobody_commits_without_a_name() {
    let bare = Bare::synced();
    let ran = bare.bootstrap(&["--author=nobody"]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(ran.err.contains("Name <email>"), "{}", ran.err);
}
