//! Repositories in every state in which people leave them: a clear error or the right commit, and nothing in between.

use std::path::Path;
use std::process::Command;

use podid::Exit;
use tempfile::TempDir;

use crate::fixture::{Ran, Tree, podid};
use crate::plan::{CLASS, PROFILE};

/// git in a folder, with an author.
fn git(folder: &Path, arguments: &[&str]) {
    let settings = [
        "-c",
        "user.name=Somebody",
        "-c",
        "user.email=somebody@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "protocol.file.allow=always",
    ];
    let mut command = Command::new("git");
    let command = command.arg("-C").arg(folder).args(settings);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// A clone of a repository with a class and a profile, and its bare origin.
struct Clone {
    folder: TempDir,
}

impl Clone {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let origin = Tree::with(&[("class.yaml", CLASS), ("checkout.yaml", PROFILE)]);
        git(origin.folder.path(), &["branch", "other"]);
        origin.commit(&[("README.md", "x")], &[]);
        let from = origin.folder.path().display().to_string();
        git(
            folder.path(),
            &["clone", "--quiet", "--bare", &from, "origin.git"],
        );
        let clone = Self { folder };
        clone.clone_to("clone", &[]);
        clone
    }

    fn clone_to(&self, name: &str, flags: &[&str]) {
        let url = format!("file://{}", self.path("origin.git"));
        let arguments = [&["clone", "--quiet"], flags, &[&url, name]].concat();
        git(self.folder.path(), &arguments);
        let tree = self.folder.path().join(name);
        git(&tree, &["config", "user.name", "Shop"]);
        git(&tree, &["config", "user.email", "shop@example.com"]);
        git(&tree, &["config", "commit.gpgsign", "false"]);
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn git(&self, name: &str, arguments: &[&str]) {
        git(Path::new(&self.path(name)), arguments);
    }

    /// Every command that writes, in a working tree of this name.
    fn writes(&self, name: &str) -> [Ran; 3] {
        let repo = self.path(name);
        let flags = ["-n", "payments", "--repo", &repo];
        [
            &["profile", "create", "refunds", "--class", "standard"][..],
            &["profile", "edit", "checkout", "--class", "gold"],
            &["profile", "delete", "checkout"],
        ]
        .map(|command| podid(&[command, &flags].concat()))
    }

    fn plan(&self, name: &str, range: &str) -> Ran {
        podid(&["plan", range, "--repo", &self.path(name)])
    }

    /// What `git` says of a working tree: its commit and its changes.
    fn state(&self, name: &str) -> String {
        let output = Command::new("bash")
            .current_dir(self.path(name))
            .args(["-c", "git rev-parse HEAD 2>&1; git status --porcelain 2>&1"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// All of them are refused with these words, and the tree is as before.
    fn refuses(&self, name: &str, words: &str) {
        let before = self.state(name);
        for ran in self.writes(name) {
            refused(&ran, words);
        }
        assert_eq!(self.state(name), before);
    }

    /// All of them commit.
    fn commits(&self, name: &str) {
        for ran in self.writes(name) {
            assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
        }
        assert!(!self.state(name).contains('?'), "{}", self.state(name));
    }
}

fn refused(ran: &Ran, words: &str) {
    assert_eq!((ran.exit, ran.out.as_str()), (Exit::Failed, ""), "{ran:?}");
    assert!(ran.err.contains(words), "{words:?} is not in: {}", ran.err);
}

#[test]
fn what_is_no_working_tree_is_named() {
    let clone = Clone::new();
    std::fs::create_dir(clone.path("plain")).unwrap();
    clone.refuses(
        "plain",
        "plain is not in a git working tree; run `git init` there or name one with --repo",
    );
    refused(
        &clone.plan("plain", "HEAD~1..HEAD"),
        "plain is not in a git repository; name one with --repo",
    );
    refused(
        &clone.plan("nowhere", "HEAD~1..HEAD"),
        "nowhere is not in a git repository",
    );
    for ran in clone.writes("nowhere") {
        refused(&ran, "nowhere is not in a git working tree");
    }
    clone.refuses(
        "origin.git",
        "origin.git is a bare repository, which has no files",
    );
    // Commits are all that a plan needs.
    let ran = clone.plan("origin.git", "HEAD~1..HEAD");
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
}

#[test]
fn what_git_has_not_finished_is_not_built_upon() {
    let clone = Clone::new();
    clone.git(
        "clone",
        &["switch", "--quiet", "-c", "mine", "origin/other"],
    );
    std::fs::write(clone.path("clone/README.md"), "y").unwrap();
    clone.git("clone", &["add", "README.md"]);
    clone.git("clone", &["commit", "--quiet", "-m", "Mine"]);
    let merge = Command::new("git")
        .current_dir(clone.path("clone"))
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
        .args(["merge", "--quiet", "origin/main"])
        .output()
        .unwrap();
    assert!(!merge.status.success(), "the branches must conflict");
    clone.refuses("clone", "a merge is under way in");
}

#[test]
fn a_file_with_uncommitted_changes_is_left_alone() {
    let clone = Clone::new();
    let file = clone.path("clone/checkout.yaml");
    std::fs::write(&file, PROFILE.to_owned() + "# mine\n").unwrap();
    let before = clone.state("clone");
    let [create, edit, delete] = clone.writes("clone");
    assert_eq!(
        create.exit,
        Exit::Done,
        "another file is none of its business: {create:?}"
    );
    for ran in [edit, delete] {
        refused(
            &ran,
            "checkout.yaml has changes that are not committed; commit or stash them first",
        );
    }
    assert!(
        before.contains(" M checkout.yaml") && clone.state("clone").contains(" M checkout.yaml")
    );
}

#[test]
fn a_detached_head_gets_no_commit() {
    let clone = Clone::new();
    clone.git("clone", &["checkout", "--quiet", "--detach"]);
    let before = clone.state("clone");
    for ran in clone.writes("clone") {
        refused(
            &ran,
            "HEAD is detached, and no branch would hold the commit",
        );
    }
    assert_eq!(clone.state("clone"), before);
}

#[test]
fn worktrees_and_shallow_clones_are_working_trees() {
    let clone = Clone::new();
    let linked = clone.path("linked");
    clone.git(
        "clone",
        &["worktree", "add", "--quiet", "-b", "topic", &linked],
    );
    clone.commits("linked");
    clone.clone_to("shallow", &["--depth=1"]);
    refused(
        &clone.plan("shallow", "HEAD~1..HEAD"),
        "the clone is shallow: run `git fetch --unshallow`, or have the pipeline fetch the whole history",
    );
    clone.commits("shallow");
    assert_eq!(clone.plan("shallow", "HEAD~3..HEAD").exit, Exit::Changes);
}

#[test]
fn an_unborn_branch_gets_its_first_commit_and_has_no_versions() {
    let tree = Tree::unborn();
    let ran = tree.podid(&["plan", "HEAD~1..HEAD"]);
    refused(&ran, "\"HEAD~1\" is no commit of");
    let ran = tree.podid(&["plan", "..HEAD"]);
    refused(&ran, "has no commit yet");
    let ran = tree.profile(&[]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
}

#[test]
fn nothing_is_written_into_a_submodule() {
    let clone = Clone::new();
    let url = format!("file://{}", clone.path("origin.git"));
    clone.git("clone", &["submodule", "--quiet", "add", &url, "vendor"]);
    clone.git("clone", &["commit", "--quiet", "-m", "Vendor"]);
    let before = clone.state("clone");
    let repo = clone.path("clone");
    let base = ["-n", "payments", "--repo", &repo, "--path"];
    for command in [
        &["profile", "create", "refunds", "--class", "standard"][..],
        &["profile", "edit", "checkout", "--class", "gold"],
        &["profile", "delete", "checkout"],
    ] {
        let path = if command[1] == "create" {
            "vendor/refunds.yaml"
        } else {
            "vendor/checkout.yaml"
        };
        let ran = podid(&[command, &base, &[path]].concat());
        refused(
            &ran,
            "is in the submodule vendor, which is another repository; name that one with --repo",
        );
    }
    assert_eq!(clone.state("clone"), before);
    assert_eq!(clone.state("clone/vendor").lines().count(), 1);
    // The profile of the submodule is not a second one of this repository.
    let ran = podid(&[
        "profile", "edit", "checkout", "-n", "payments", "--class", "gold", "--repo", &repo,
    ]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{ran:?}");
}

#[test]
fn a_folder_with_the_name_of_a_file_is_a_folder() {
    let tree = Tree::with(&[("class.yaml", CLASS), ("x.yaml/checkout.yaml", PROFILE)]);
    let folder = tree.folder.path().to_str().unwrap();
    assert_eq!(podid(&["plan", folder]).exit, Exit::Changes);
    let ran = podid(&["profile", "list", folder]);
    assert!(
        ran.exit == Exit::Done && ran.out.contains("x.yaml/checkout.yaml:3"),
        "{ran:?}"
    );
    refused(&tree.profile(&["--path=x.yaml"]), "x.yaml is a folder");
    for command in [
        &["profile", "edit", "checkout", "--class", "gold"][..],
        &["profile", "delete", "checkout"],
    ] {
        let ran = tree.podid(&[command, &["-n", "payments", "--path=x.yaml"]].concat());
        refused(&ran, "x.yaml is a folder");
    }
}

#[test]
fn what_cannot_be_written_leaves_nothing_half_done() {
    let long = format!("{}/x.yaml", "n".repeat(300));
    let tree = Tree::with(&[("file", "x"), ("kustomization.yaml", "resources: []\n")]);
    for (path, words) in [
        ("file/x.yaml", "file/x.yaml cannot be"),
        (long.as_str(), "x.yaml cannot be"),
    ] {
        let before = tree.last();
        let ran = tree.profile(&[&format!("--path={path}")]);
        refused(&ran, words);
        assert_eq!((tree.last(), tree.status()), (before, vec![]));
    }
}

#[test]
fn every_file_that_nobody_should_write_is_named_and_left() {
    let bomb = {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            text += &format!("a{level}: &a{level} [{below}]\n");
        }
        text
    };
    let named = format!("{PROFILE}---\n");
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "tabs",
            PROFILE.replace("  className", "\tclassName").into(),
            "bad.yaml:5 is not YAML; YAML is indented with spaces",
        ),
        (
            "duplicate keys",
            format!("{PROFILE}  className: other\n").into(),
            "bad.yaml:11 is not YAML",
        ),
        (
            "aliases of aliases",
            (named.clone() + &bomb).into(),
            "is not YAML",
        ),
        (
            "an alias of nothing",
            (named.clone() + "a: *none\n").into(),
            "bad.yaml:12 is not YAML",
        ),
        (
            "too many documents",
            (named.clone() + &"a: 1\n---\n".repeat(10_001)).into(),
            "is not YAML",
        ),
        (
            "no UTF-8",
            [PROFILE.as_bytes(), b"# \xff\n"].concat(),
            "bad.yaml:11 is not UTF-8",
        ),
        (
            "a huge file",
            [named.as_bytes(), &vec![b'#'; 17 << 20]].concat(),
            "bad.yaml is larger than 16 MiB",
        ),
    ];
    for (what, bytes, words) in table {
        let tree = Tree::with(&[("class.yaml", CLASS)]);
        std::fs::write(tree.path("bad.yaml"), &bytes).unwrap();
        tree.commit(&[], &[]);
        git(tree.folder.path(), &["add", "--all"]);
        git(tree.folder.path(), &["commit", "--quiet", "-m", "Bad"]);
        let before = tree.last();
        let folder = tree.folder.path().to_str().unwrap();
        let file = tree.path("bad.yaml").display().to_string();
        for ran in [
            tree.podid(&[
                "profile",
                "edit",
                "checkout",
                "-n",
                "payments",
                "--class=x",
                "--path=bad.yaml",
            ]),
            tree.podid(&["profile", "edit", "checkout", "-n", "payments", "--class=x"]),
            tree.podid(&[
                "profile",
                "delete",
                "checkout",
                "-n",
                "payments",
                "--path=bad.yaml",
            ]),
            podid(&["plan", &file]),
            podid(&["plan", folder]),
            tree.podid(&["plan", "HEAD~1..HEAD"]),
        ] {
            assert_eq!(
                (ran.exit, ran.out.as_str()),
                (Exit::Failed, ""),
                "{what}: {ran:?}"
            );
            assert!(
                ran.err.contains(words),
                "{what}: {words:?} is not in: {}",
                ran.err
            );
        }
        assert_eq!((tree.last(), tree.status()), (before, vec![]), "{what}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{what}");
    }
}
