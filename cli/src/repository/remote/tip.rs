//! The commit that a branch is at, and the one on top of it.

use std::path::{Path, PathBuf};

use git2::{Commit, ErrorCode, ObjectType, Oid, Tree};

use super::open::Depth;
use super::{RemoteError, RemoteRepository};
use crate::repository::commit::{Author, signature_of, tree_with};
use crate::repository::{FileChange, RepositoryError, sign};

/// Files of manifests are nowhere near.
const MAX_BYTES: usize = 1 << 20;

/// Git's modes of what is no plain file.
const SYMLINK: i32 = 0o120_000;

/// Where a commit is to go, and on top of what.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    /// Branch that is pushed to.
    pub(crate) branch: String,
    /// Branch that a clone has checked out.
    pub(crate) default_branch: String,
    /// The commit it is at; for a new branch that of the default branch; `None` in an empty repository.
    pub(crate) commit: Option<Oid>,
    /// Whether the branch is there.
    pub(crate) exists: bool,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// The branch is at our commit.
    Done,
    /// Somebody else has moved the branch meanwhile.
    Overtaken,
}

impl RemoteRepository {
    /// Fetches what `branch` is at, or the default branch.
    pub(crate) fn tip(&self, branch: Option<&str>) -> Result<Tip, RemoteError> {
        let branches = self.branches()?;
        let branch = branch.unwrap_or(&branches.default).to_owned();
        if !git2::Reference::is_valid_name(&format!("refs/heads/{branch}")) {
            return Err(RemoteError::BranchName { name: branch });
        }
        let exists = branches.at(&branch).is_some();
        let base = if exists { &branch } else { &branches.default };
        if exists && branch != branches.default && branches.at(&branches.default).is_some() {
            self.require_common_history(&branch, &branches.default)?;
        } else if branches.at(base).is_some() {
            self.fetch(base, Depth::Tip)?;
        }
        let fetched = self.local.refname_to_id(&format!("refs/podid/{base}"));
        Ok(Tip {
            commit: branches.at(base).and(fetched.ok()),
            exists,
            branch,
            default_branch: branches.default,
        })
    }

    /// A pull request from one branch into the other needs a commit that both have.
    fn require_common_history(&self, branch: &str, default: &str) -> Result<(), RemoteError> {
        let fetched = |branch: &str| -> Result<Oid, RemoteError> {
            self.fetch(branch, Depth::Whole)?;
            let id = self.local.refname_to_id(&format!("refs/podid/{branch}"));
            Ok(id.map_err(RepositoryError::git("read a branch"))?)
        };
        match self.local.merge_base(fetched(branch)?, fetched(default)?) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::NotFound => Err(RemoteError::Unrelated {
                branch: branch.to_owned(),
                default: default.to_owned(),
            }),
            Err(source) => Err(RepositoryError::git("compare two branches")(source).into()),
        }
    }

    /// Content of a file there; `None` when it is not there.
    pub(crate) fn read(&self, tip: &Tip, path: &Path) -> Result<Option<String>, RemoteError> {
        let Some(tree) = self.tree(tip)? else {
            return Ok(None);
        };
        let Some(id) = self.find(tree, path)? else {
            return Ok(None);
        };
        let unreadable = RepositoryError::git("read a file of the branch");
        let odb = self.local.odb().map_err(&unreadable)?;
        // The size first: a file may be larger than memory.
        let (size, _) = odb.read_header(id).map_err(&unreadable)?;
        let path = path.to_owned();
        if size > MAX_BYTES {
            return Err(RemoteError::TooLarge { path });
        }
        let object = odb.read(id).map_err(&unreadable)?;
        let text = String::from_utf8(object.data().to_vec());
        text.map(Some).map_err(|_| RemoteError::NotText { path })
    }

    /// The blob at a path that leads through folders only.
    fn find(&self, tree: Tree<'_>, path: &Path) -> Result<Option<Oid>, RemoteError> {
        let mut tree = tree;
        let mut at = PathBuf::new();
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            let name = part.as_os_str().as_encoded_bytes();
            let Some((id, kind, mode)) = tree
                .get_name_bytes(name)
                .map(|entry| (entry.id(), entry.kind(), entry.filemode()))
            else {
                return Ok(None);
            };
            let in_the_way = |what| RemoteError::InTheWay {
                path: at.clone(),
                what,
            };
            match (kind, parts.peek().is_none()) {
                (Some(ObjectType::Blob), _) if mode == SYMLINK => {
                    return Err(in_the_way("a symbolic link"));
                }
                (Some(ObjectType::Blob), true) => return Ok(Some(id)),
                (Some(ObjectType::Tree), false) => {
                    let next = self.local.find_tree(id);
                    tree = next.map_err(RepositoryError::git("read a folder of the branch"))?;
                }
                (Some(ObjectType::Blob), false) => return Err(in_the_way("a file")),
                (Some(ObjectType::Tree), true) => return Err(in_the_way("a folder")),
                _ => return Err(in_the_way("a submodule")),
            }
        }
        Ok(None)
    }

    /// Commits the files on top of the tip, signed if git's configuration says so.
    pub(crate) fn commit(
        &self,
        tip: &Tip,
        changes: &[FileChange],
        message: &str,
        author: Option<&Author>,
    ) -> Result<Oid, RemoteError> {
        let author = signature_of(&self.config, author)?;
        let parent = self.parent(tip)?;
        let failed = RepositoryError::git("commit");
        let tree = tree_with(&self.local, parent.as_ref(), changes).map_err(&failed)?;
        let tree = self.local.find_tree(tree).map_err(&failed)?;
        let parents: Vec<_> = parent.iter().collect();
        let commit = self
            .local
            .commit_create_buffer(&author, &author, message, &tree, &parents)
            .map_err(&failed)?;
        let id = sign::write_commit(&self.local, &self.config, &author, &commit)?;
        Ok(id)
    }

    /// Pushes a commit, never by force.
    pub(crate) fn push(&self, tip: &Tip, commit: Oid) -> Result<Push, RemoteError> {
        let branch = &tip.branch;
        self.local
            .reference(
                &format!("refs/heads/{branch}"),
                commit,
                true,
                "podid bootstrap git",
            )
            .map_err(RepositoryError::git("name the commit"))?;
        let Some(reason) = self.push_branch(branch)? else {
            return Ok(Push::Done);
        };
        // Servers word it differently; whether the branch has moved tells.
        let now = self.branches()?.at(branch);
        if now == tip.commit.filter(|_| tip.exists) {
            return Err(RemoteError::Refused {
                repository: self.location.to_string(),
                branch: branch.clone(),
                reason,
            });
        }
        Ok(Push::Overtaken)
    }

    fn parent(&self, tip: &Tip) -> Result<Option<Commit<'_>>, RemoteError> {
        let parent = tip.commit.map(|id| self.local.find_commit(id)).transpose();
        Ok(parent.map_err(RepositoryError::git("read the last commit of the branch"))?)
    }

    fn tree(&self, tip: &Tip) -> Result<Option<Tree<'_>>, RemoteError> {
        let tree = self.parent(tip)?.map(|commit| commit.tree()).transpose();
        Ok(tree.map_err(RepositoryError::git("read the files of the branch"))?)
    }
}
