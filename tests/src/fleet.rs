//! A git repository that `podid bootstrap git` has written to, and what people do in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Tenant and subscription of its cluster, and the client id of its operator.
pub const GUID: &str = "aaaaaaaa-0000-0000-0000-000000000001";

/// A profile with two facts of its cluster in it.
const PROFILE: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata:
  name: checkout
  namespace: payments
spec:
  className: standard
  access:
    - role: Reader
      scope: /subscriptions/${podid_subscription_id}/resourceGroups/shop-${podid_location}
";

/// Who commits, as settings of git.
const PERSON: [&str; 6] = [
    "-c",
    "user.name=Shop team",
    "-c",
    "user.email=shop@example.com",
    "-c",
    "commit.gpgsign=false",
];

/// What git says in a folder.
///
/// # Panics
/// When it fails.
#[allow(clippy::expect_used)]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    let output = command.arg("-C").arg(folder).args(arguments).output();
    let output = output.expect("git starts");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// An empty bare repository.
///
/// # Panics
/// When git fails.
#[must_use]
#[allow(clippy::expect_used)]
pub fn bare() -> TempDir {
    let bare = tempfile::tempdir().expect("a folder");
    git(bare.path(), &["init", "--quiet", "--bare", "-b", "main"]);
    // Whoever runs the test may sign their commits.
    git(bare.path(), &["config", "commit.gpgsign", "false"]);
    bare
}

/// Runs `podid bootstrap git` on a bare repository.
///
/// # Panics
/// When it fails.
#[allow(clippy::expect_used)]
pub fn bootstrap(bare: &Path, flags: &[&str]) {
    let repo = bare.to_str().expect("a path in UTF-8");
    let command = ["podid", "bootstrap", "git", "--repo", repo];
    let author = ["--author", "Platform team <platform@example.com>"];
    let line = [&command[..], &author, flags].concat();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = podid::run(line.into_iter().map(Into::into), &mut out, &mut err);
    assert_eq!(exit, podid::Exit::Done, "{}", String::from_utf8_lossy(&err));
}

/// A bare repository that `podid bootstrap git` has written to, for the cluster path `clusters/prod-1`.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn bootstrapped(flags: &[&str]) -> TempDir {
    let bare = bare();
    let access = format!("Reader=/subscriptions/{GUID}");
    let facts = [
        ["--cluster-path", "clusters/prod-1"],
        ["--cluster", "prod-1"],
        ["--tenant", GUID],
        ["--subscription", GUID],
        ["--resource-group", "identities"],
        ["--node-resource-group", "MC_shop"],
        ["--location", "northeurope"],
        ["--client-id", GUID],
        ["--allow-namespace", "payments"],
        ["--allow-access", &access],
    ];
    bootstrap(bare.path(), &[facts.as_flattened(), flags].concat());
    bare
}

/// A clone of a repository.
///
/// # Panics
/// When git fails.
#[must_use]
#[allow(clippy::expect_used)]
pub fn checked_out(bare: &Path) -> TempDir {
    let clone = tempfile::tempdir().expect("a folder");
    let from = bare.to_str().expect("a path in UTF-8");
    git(clone.path(), &["clone", "--quiet", from, "."]);
    clone
}

/// Commits and pushes what `edit` does in a clone; the commit.
///
/// # Panics
/// When git fails.
pub fn pushed(bare: &Path, edit: impl FnOnce(&Path)) -> String {
    changed(bare, |clone| {
        edit(clone);
        git(clone, &["add", "--all"]);
        git(
            clone,
            &[&PERSON[..], &["commit", "--quiet", "-m", "Change"]].concat(),
        );
    })
}

/// Reverts and pushes the newest commit; the commit that does so.
///
/// # Panics
/// When git fails.
pub fn reverted(bare: &Path) -> String {
    changed(bare, |clone| {
        git(
            clone,
            &[&PERSON[..], &["revert", "--no-edit", "HEAD"]].concat(),
        );
    })
}

/// Commits and pushes the files of an earlier commit; the commit that does so.
///
/// # Panics
/// When git fails.
pub fn restored(bare: &Path, earlier: &str) -> String {
    changed(bare, |clone| {
        git(clone, &["read-tree", "--reset", "-u", earlier]);
        let commit = ["commit", "--quiet", "--allow-empty", "-m", "Restore"];
        git(clone, &[&PERSON[..], &commit].concat());
    })
}

fn changed(bare: &Path, commit: impl FnOnce(&Path)) -> String {
    let clone = checked_out(bare);
    commit(clone.path());
    git(clone.path(), &["push", "--quiet", "origin", "main"]);
    git(clone.path(), &["rev-parse", "HEAD"])
}

/// Adds the profile `payments/checkout` to the layer of profiles in a clone, as its people would.
///
/// # Panics
/// When the files are not as the bootstrap writes them.
#[allow(clippy::expect_used)]
pub fn add_profile(clone: &Path) {
    let folder = clone.join("clusters/prod-1/podid/profiles");
    fs::write(folder.join("checkout.yaml"), PROFILE).expect("the layer's folder");
    let list = folder.join("kustomization.yaml");
    let text = fs::read_to_string(&list).expect("the layer's kustomization");
    let with_entry = text.replace("resources: []", "resources:\n- checkout.yaml");
    fs::write(&list, with_entry).expect("the layer's kustomization");
}
