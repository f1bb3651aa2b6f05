//! A git working tree that holds manifests.

mod commit;
pub(crate) mod kustomization;
pub(crate) mod remote;
mod sign;
mod worktree;

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository};

pub(crate) use commit::{Author, Commit};
pub(crate) use worktree::{FileChange, Worktree, diff};

/// Why a working tree was left as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    #[error("{dir} is not in a git working tree; run `git init` there or name one with --repo")]
    NoRepository { dir: PathBuf, source: git2::Error },
    #[error(
        "{dir} belongs to another user; if you trust it, run \
         `git config --global --add safe.directory` with its full path"
    )]
    Untrusted { dir: PathBuf, source: git2::Error },
    #[error("{dir} is a bare repository, which has no files; name a working tree with --repo")]
    Bare { dir: PathBuf },
    #[error("a {state} is under way in {dir}; finish or abort it first")]
    Busy { dir: PathBuf, state: &'static str },
    #[error("{path} is not a path inside the working tree; give one relative to its root")]
    Outside { path: PathBuf },
    #[error("{path} leads through a symbolic link; give the real path")]
    Symlink { path: PathBuf },
    #[error("{path} is a folder, not a path inside one; name a file")]
    Folder { path: PathBuf },
    #[error(
        "{path} is in the submodule {submodule}, which is another repository; name that one with --repo"
    )]
    Submodule { path: PathBuf, submodule: PathBuf },
    #[error("{path} is ignored by git, so nobody would see it; give another with --path")]
    Ignored { path: PathBuf },
    #[error("{path} exists already with another content; overwrite it with --force")]
    Exists { path: PathBuf },
    #[error("{path} has changes that are not committed; commit or stash them first")]
    Dirty { path: PathBuf },
    #[error("{path} cannot be {action}")]
    File {
        path: PathBuf,
        action: &'static str,
        source: std::io::Error,
    },
    #[error(
        "HEAD is detached, and no branch would hold the commit; `git switch BRANCH` first, `git switch --create BRANCH` \
         for a new one, or write the files alone with --no-commit"
    )]
    Detached,
    #[error("git does not know who commits; set user.name and user.email, or give --author")]
    Nobody(#[source] git2::Error),
    #[error("git refused to {action}")]
    Git {
        action: &'static str,
        source: git2::Error,
    },
}

impl RepositoryError {
    /// For `map_err`: git refused to do `action`.
    fn git(action: &'static str) -> impl Fn(git2::Error) -> Self {
        move |source| Self::Git { action, source }
    }

    /// Finds the repository that `dir` is in.
    fn discover(dir: &Path) -> Result<Repository, Self> {
        Repository::discover(dir).map_err(|source| {
            let dir = dir.to_owned();
            match source.code() {
                ErrorCode::Owner => Self::Untrusted { dir, source },
                _ => Self::NoRepository { dir, source },
            }
        })
    }
}
