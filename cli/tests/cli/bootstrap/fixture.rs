//! A bare repository that Flux could sync, and `podid bootstrap git` run against it.

use std::fs;
use std::path::Path;

use git2::{Oid, Repository, Signature};
use tempfile::TempDir;

use crate::fixture::{Ran, podid};

pub(crate) const TENANT: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub(crate) const SUBSCRIPTION: &str = "aaaaaaaa-0000-0000-0000-000000000002";
pub(crate) const CLIENT: &str = "aaaaaaaa-0000-0000-0000-000000000003";
pub(crate) const KUBELET: &str = "aaaaaaaa-0000-0000-0000-000000000004";

/// What `flux bootstrap` leaves; podid looks for it.
pub(crate) const SYNC: &str = "clusters/prod-1/flux-system/gotk-sync.yaml";

/// A bare repository.
pub(crate) struct Bare {
    pub(crate) repository: Repository,
    pub(crate) folder: TempDir,
}

impl Bare {
    /// Without a commit.
    pub(crate) fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head("main");
        let repository = Repository::init_opts(folder.path(), &options).unwrap();
        let mut config = repository.config().unwrap();
        config.set_str("user.name", "Platform team").unwrap();
        config
            .set_str("user.email", "platform@example.com")
            .unwrap();
        config.set_bool("commit.gpgsign", false).unwrap();
        Self { repository, folder }
    }

    /// As `flux bootstrap` leaves it.
    pub(crate) fn synced() -> Self {
        let bare = Self::empty();
        bare.put("main", &[(SYNC, "# by flux\n")]);
        bare
    }

    /// Commits files to a branch, as another person's push would.
    pub(crate) fn put(&self, branch: &str, files: &[(&str, &str)]) -> Oid {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| (*path, text.as_bytes()))
            .collect();
        self.put_with(branch, &files, 0o100_644)
    }

    /// The same for any bytes, with a mode of git's.
    pub(crate) fn put_with(&self, branch: &str, files: &[(&str, &[u8])], mode: u32) -> Oid {
        let entries = files.iter().map(|(path, text)| {
            let id = self.repository.blob(text).unwrap();
            entry(path, id, mode)
        });
        self.put_entries(branch, entries.collect())
    }

    /// A submodule that is at a commit.
    pub(crate) fn submodule(&self, branch: &str, path: &str, commit: Oid) -> Oid {
        self.put_entries(branch, vec![entry(path, commit, 0o160_000)])
    }

    fn put_entries(&self, branch: &str, entries: Vec<git2::IndexEntry>) -> Oid {
        let name = format!("refs/heads/{branch}");
        let parent = self.repository.find_reference(&name).ok();
        let parent = parent.map(|reference| reference.peel_to_commit().unwrap());
        let mut index = git2::Index::new().unwrap();
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree().unwrap()).unwrap();
        }
        for entry in &entries {
            index.add(entry).unwrap();
        }
        let tree = index.write_tree_to(&self.repository).unwrap();
        let tree = self.repository.find_tree(tree).unwrap();
        let author = Signature::now("Somebody", "somebody@example.com").unwrap();
        let parents: Vec<_> = parent.iter().collect();
        self.repository
            .commit(Some(&name), &author, &author, "Else", &tree, &parents)
            .unwrap()
    }

    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The last commit of a branch.
    pub(crate) fn last(&self, branch: &str) -> git2::Commit<'_> {
        let reference = self.repository.find_branch(branch, git2::BranchType::Local);
        reference
            .unwrap()
            .into_reference()
            .peel_to_commit()
            .unwrap()
    }

    /// Names of the files of a branch.
    pub(crate) fn files(&self, branch: &str) -> Vec<String> {
        let mut files = Vec::new();
        let tree = self.last(branch).tree().unwrap();
        tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            if entry.kind() == Some(git2::ObjectType::Blob) {
                files.push(format!("{folder}{}", entry.name().unwrap()));
            }
            git2::TreeWalkResult::Ok
        })
        .unwrap();
        files
    }

    /// A file of a branch.
    pub(crate) fn read(&self, branch: &str, path: &str) -> String {
        let tree = self.last(branch).tree().unwrap();
        let entry = tree.get_path(Path::new(path)).unwrap();
        let blob = self.repository.find_blob(entry.id()).unwrap();
        String::from_utf8(blob.content().to_vec()).unwrap()
    }

    /// A file below podid's folder in `main`, as a value.
    pub(crate) fn yaml(&self, path: &str) -> serde_json::Value {
        let text = self.read("main", &format!("clusters/prod-1/podid/{path}"));
        serde_saphyr::from_str(&text).unwrap()
    }

    /// `podid bootstrap git --repo` this folder.
    pub(crate) fn bootstrap(&self, flags: &[&str]) -> Ran {
        bootstrap(self.path(), flags)
    }
}

impl Bare {
    /// The same for a cluster that is now in another region.
    pub(crate) fn moved(&self, flags: &[&str]) -> Ran {
        let facts = facts();
        let facts = facts.iter().map(|flag| match *flag {
            "northeurope" => "uksouth",
            flag => flag,
        });
        let line = ["bootstrap", "git", "--repo", self.path()].into_iter();
        let line: Vec<&str> = line.chain(facts).chain(flags.iter().copied()).collect();
        podid(&line)
    }
}

fn entry(path: &str, id: Oid, mode: u32) -> git2::IndexEntry {
    let time = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: time,
        mtime: time,
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}

/// Flags with every fact.
pub(crate) fn facts() -> Vec<&'static str> {
    [
        ["--cluster-path", "clusters/prod-1"],
        ["--cluster", "prod-1"],
        ["--tenant", TENANT],
        ["--subscription", SUBSCRIPTION],
        ["--resource-group", "identities"],
        ["--node-resource-group", "MC_shop"],
        ["--location", "northeurope"],
        ["--node-principal", KUBELET],
        ["--client-id", CLIENT],
        ["--chart", "oci://registry.example.org/charts/podid"],
    ]
    .concat()
}

/// `podid bootstrap git` with every fact, and further flags.
pub(crate) fn bootstrap(repo: &str, flags: &[&str]) -> Ran {
    podid(&[&["bootstrap", "git", "--repo", repo][..], &facts(), flags].concat())
}

/// A file that a test writes.
pub(crate) fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
