use git2::Status;
use podid::Exit;
use podid_crds::check;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};

use crate::fixture::{Ran, Tree, podid};

pub(crate) const GUID: &str = "11111111-2222-3333-4444-555555555555";
const KUSTOMIZATION: &str = "# apps\nresources:\n  - shop.yaml # first\nnamespace: payments\n";

/// Refused with these words, and the tree as before.
pub(crate) fn refused(tree: &Tree, ran: &Ran, words: &[&str]) {
    assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "{word:?} is not in: {}", ran.err);
    }
    assert_eq!(ran.out, "");
    assert_eq!(tree.status(), [], "nothing was written");
}

#[test]
fn a_profile_is_one_file_in_one_commit() {
    let tree = Tree::with(&[("README", "x")]);
    let ran = tree.profile(&[
        "--access",
        "Key Vault Secrets User=/subscriptions/s/vaults/v",
    ]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let (message, files) = tree.last();
    assert_eq!(message, "Add PodIdentityProfile payments/checkout");
    assert_eq!(files, ["payments/checkout.yaml"]);
    assert_eq!(tree.status(), []);
    insta::assert_snapshot!(tree.read("payments/checkout.yaml"));
}

#[test]
fn every_flag_of_a_profile_reaches_its_field() {
    let tree = Tree::unborn();
    let ran = tree.profile(&[
        "--access=Reader=/subscriptions/s",
        "--access",
        "Storage Blob Data Reader=/subscriptions/t",
        "--access=AcrPull=images",
        "--selector=Check.Out",
        "--service-account=web",
        "--net-raw=audit",
        "--identity-name=checkout-id",
        "--tag=team=shop",
        "--tag=cost=7",
        "--deletion-policy=retain",
        "--creation-policy=CreateOrAdopt",
        "--drift=observe",
        "--interval=30m",
        "--deletion-grace-period=5m",
        "--author=CI <ci@example.com>",
        "--message=As asked",
    ]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let text = tree.read("payments/checkout.yaml");
    insta::assert_snapshot!(text);
    let value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(check::object(&value).unwrap(), []);
    serde_json::from_value::<PodIdentityProfile>(value).unwrap();

    let commit = tree.repository.head().unwrap().peel_to_commit().unwrap();
    assert_eq!(commit.message().unwrap(), "As asked");
    assert_eq!(commit.author().email().unwrap(), "ci@example.com");
    assert_eq!(commit.parent_count(), 0, "the first commit of the branch");
}

#[test]
fn every_flag_of_a_class_reaches_its_field() {
    let tree = Tree::with(&[("README", "x")]);
    let ran = tree.podid(&[
        "class",
        "create",
        "standard",
        "--cluster=prod-1",
        "--tenant",
        GUID,
        "--subscription",
        GUID,
        "--cloud=AzureChinaCloud",
        "--resource-group=identities",
        "--location=westeurope",
        "--node-resource-group=MC_prod",
        "--node-principal",
        GUID,
        "--grant-identity-operator=resourcegroup",
        "--grant-vm-contributor=none",
        "--scope=images=/subscriptions/s/resourceGroups/g",
        "--scope=all=/subscriptions/t",
        "--allow-namespace=payments",
        "--allow-namespace=shop",
        "--allow-access=Reader=/subscriptions/s",
        "--allow-access=Reader=/subscriptions/t",
        "--allow-access=Contributor=/subscriptions/s/resourceGroups/g",
        "--allow-identity-group=/subscriptions/s/resourceGroups/g",
        "--allow-net-raw",
        "--allow-hand-written",
        "--allow-host-namespaces",
        "--on-narrowing=revoke",
        "--neighbours=audit",
        "--neighbours-scope=nodes",
    ]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let text = tree.read("classes/standard.yaml");
    insta::assert_snapshot!(text);
    let value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(check::object(&value).unwrap(), []);
    serde_json::from_value::<PodIdentityClass>(value).unwrap();
    assert_eq!(tree.last().0, "Add PodIdentityClass standard");
}

#[test]
fn what_else_is_staged_or_changed_is_not_swept_in() {
    let tree = Tree::with(&[("README", "x"), ("NEWS", "x")]);
    tree.put("secret.txt", "not yet");
    tree.stage("secret.txt");
    tree.put("README", "half a thought");
    assert_eq!(tree.profile(&[]).exit, Exit::Done);
    assert_eq!(tree.last().1, ["payments/checkout.yaml"]);
    let left = [
        ("README".to_owned(), Status::WT_MODIFIED),
        ("secret.txt".into(), Status::INDEX_NEW),
    ];
    assert_eq!(tree.status(), left);
}

#[test]
fn the_folders_kustomization_lists_the_file_and_keeps_its_comments() {
    let tree = Tree::with(&[("payments/kustomization.yaml", KUSTOMIZATION)]);
    assert_eq!(tree.profile(&[]).exit, Exit::Done);
    assert_eq!(
        tree.last().1,
        ["payments/checkout.yaml", "payments/kustomization.yaml"]
    );
    let wanted = KUSTOMIZATION.replace("# first\n", "# first\n  - checkout.yaml\n");
    assert_eq!(tree.read("payments/kustomization.yaml"), wanted);
    assert_eq!(tree.status(), []);
}

#[test]
fn a_kustomization_that_cannot_be_edited_is_left_alone_and_named() {
    let tree = Tree::with(&[("payments/kustomization.yaml", "resources: [shop.yaml]\n")]);
    let ran = tree.profile(&[]);
    assert_eq!(ran.exit, Exit::Done);
    assert!(
        ran.out.contains("add checkout.yaml to the resources of"),
        "{}",
        ran.out
    );
    assert_eq!(tree.last().1, ["payments/checkout.yaml"]);
}

#[test]
fn uncommitted_changes_of_the_kustomization_are_not_committed() {
    let tree = Tree::with(&[("payments/kustomization.yaml", KUSTOMIZATION)]);
    tree.put(
        "payments/kustomization.yaml",
        &format!("{KUSTOMIZATION}# mine\n"),
    );
    let ran = tree.profile(&[]);
    assert_eq!(ran.exit, Exit::Failed);
    assert!(
        ran.err.contains("has changes that are not committed"),
        "{}",
        ran.err
    );
    assert!(!tree.path("payments/checkout.yaml").exists());
}

#[test]
fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let tree = Tree::with(&[("payments/kustomization.yaml", KUSTOMIZATION)]);
    let ran = tree.profile(&["--dry-run"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    insta::assert_snapshot!(ran.out);
    assert_eq!((tree.last().0.as_str(), tree.status().len()), ("Start", 0));
}

#[test]
fn no_commit_writes_the_file_only() {
    let tree = Tree::with(&[("README", "x")]);
    assert_eq!(tree.profile(&["--no-commit"]).exit, Exit::Done);
    assert_eq!(
        tree.status(),
        [("payments/checkout.yaml".to_owned(), Status::WT_NEW)]
    );
    assert_eq!(tree.last().0, "Start");
}

#[test]
fn a_file_that_exists_is_replaced_only_by_force() {
    let tree = Tree::with(&[("payments/checkout.yaml", "old: true\n")]);
    refused(
        &tree,
        &tree.profile(&[]),
        &["payments/checkout.yaml exists", "--force"],
    );
    assert_eq!(tree.profile(&["--force"]).exit, Exit::Done);
    assert_eq!(tree.last().0, "Update PodIdentityProfile payments/checkout");
}

#[test]
fn the_same_again_makes_no_empty_commit() {
    let tree = Tree::with(&[("README", "x")]);
    assert_eq!(tree.profile(&["--message=once"]).exit, Exit::Done);
    let ran = tree.profile(&["--message=twice"]);
    assert_eq!(ran.exit, Exit::Done);
    assert!(
        ran.out
            .contains("the last commit holds all of this already"),
        "{}",
        ran.out
    );
    assert_eq!(tree.last().0, "once");
    for words in [
        "keep    payments/checkout.yaml",
        "nothing changed, so no commit was made",
    ] {
        assert!(ran.out.contains(words), "{words:?} is not in: {}", ran.out);
    }
    for flag in ["--dry-run", "--no-commit"] {
        let ran = tree.profile(&[flag]);
        assert_eq!(ran.exit, Exit::Done);
        assert!(ran.out.contains("nothing changed"), "{flag}: {}", ran.out);
        assert!(!ran.out.contains("push it"), "{flag}: {}", ran.out);
    }
    assert_eq!(tree.status(), []);
}

#[test]
fn an_index_that_somebody_else_holds_is_found_before_the_commit() {
    let tree = Tree::with(&[("README", "x")]);
    std::fs::write(tree.repository.path().join("index.lock"), "").unwrap();
    let ran = tree.profile(&[]);
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("update its index"),
        "{ran:?}"
    );
    assert_eq!(tree.last().0, "Start");
}

#[test]
fn on_a_detached_head_files_are_written_only_without_a_commit() {
    let tree = Tree::with(&[("README", "x")]);
    let start = tree.repository.head().unwrap().target().unwrap();
    tree.repository.set_head_detached(start).unwrap();
    let ran = tree.profile(&[]);
    assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
    assert!(ran.err.contains("HEAD is detached"), "{}", ran.err);
    assert_eq!(tree.repository.head().unwrap().target(), Some(start));
    assert!(tree.repository.statuses(None).unwrap().is_empty());
    let ran = tree.profile(&["--no-commit"]);
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
}

#[test]
fn the_report_for_programs_names_files_and_commit() {
    let tree = Tree::with(&[("README", "x")]);
    let ran = tree.profile(&["-o", "json", "--path", "./apps/id.yaml"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let head = tree
        .repository
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    assert_eq!(report["files"][0]["path"], "apps/id.yaml");
    assert_eq!(report["files"][0]["action"], "create");
    assert_eq!(report["commit"]["id"], head);
    assert_eq!(report["commit"]["branch"], "main");
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let tree = Tree::with(&[("dir/file", "x"), (".gitignore", "*.tmp\nlink\n")]);
    std::os::unix::fs::symlink("/", tree.path("link")).unwrap();
    let table = [
        ("../out.yaml", "not a path inside"),
        ("dir/../../out.yaml", "not a path inside"),
        ("/out.yaml", "not a path inside"),
        (".git/hooks/x", "not a path inside"),
        ("a/.GIT/x", "not a path inside"),
        ("dir", "not a path inside"),
        (".", "not a path inside"),
        ("link/x.yaml", "symbolic link"),
        ("x.tmp", "ignored by git"),
    ];
    for (path, words) in table {
        refused(&tree, &tree.profile(&["--path", path]), &[words]);
    }
}

#[test]
fn places_that_cannot_be_committed_to_are_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let create = [
        "profile", "create", "checkout", "--class", "standard", "--repo", path,
    ];
    let ran = podid(&create);
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("not in a git working tree"),
        "{ran:?}"
    );
    git2::Repository::init_bare(folder.path()).unwrap();
    let ran = podid(&create);
    assert!(
        ran.exit == Exit::Failed && ran.err.contains("bare repository"),
        "{ran:?}"
    );

    let tree = Tree::with(&[("README", "x")]);
    tree.repository
        .config()
        .unwrap()
        .set_str("user.name", "")
        .unwrap();
    refused(
        &tree,
        &tree.profile(&[]),
        &["git does not know who commits", "--author"],
    );
    let head = tree
        .repository
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    std::fs::write(tree.repository.path().join("MERGE_HEAD"), head).unwrap();
    refused(&tree, &tree.profile(&[]), &["a merge is under way"]);
}

#[test]
fn what_the_api_server_would_refuse_is_refused_here() {
    let tree = Tree::with(&[("README", "x")]);
    let table: &[(&[&str], &str)] = &[
        (
            &["--access=Reader=My_Group"],
            "must be an ARM id that starts with /subscriptions/…, or a name in the scopes of the class",
        ),
        (
            &["--selector=-x"],
            "binding.selector must be a valid label value",
        ),
        (&["--interval=5s"], "at least 1m"),
        (&["--deletion-grace-period=2h"], "at most 1h"),
        (
            &["--resource-id=/subscriptions/s"],
            "identity.resourceId must be",
        ),
        (&["--namespace=Payments"], "is not a namespace"),
        (
            &[
                "--access=Reader=/subscriptions/s",
                "--access=Reader=/subscriptions/s",
            ],
            "repeats",
        ),
    ];
    for (flags, words) in table {
        let base = ["profile", "create", "checkout", "--class", "standard"];
        refused(&tree, &tree.podid(&[&base, *flags].concat()), &[words]);
    }
    let ran = tree.podid(&["profile", "create", "Checkout", "--class", "standard"]);
    refused(&tree, &ran, &["metadata.name", "lower-case"]);
}

#[test]
fn malformed_flags_are_named() {
    for flag in [
        "--access=Reader",
        "--net-raw=maybe",
        "--author=me",
        "--tag=x",
        "--output=xml",
    ] {
        let ran = podid(&["profile", "create", "x", "--class", "c", flag]);
        let name = flag.split('=').next().unwrap();
        assert!(
            ran.exit == Exit::Failed && ran.err.contains(name),
            "{flag}: {ran:?}"
        );
    }
}
