//! Reads repositories on this machine in place.

use std::path::{Path, PathBuf};

use git2::{Commit, ErrorCode, Oid, Repository, Tree, TreeWalkMode, TreeWalkResult};

use super::api::{GitReference, GitRepositorySpec};
use super::exclude::Exclusions;

/// The branch Flux takes when a GitRepository names none.
const DEFAULT_BRANCH: &str = "master";

/// Why a repository gives no artifact. The text goes into the object's conditions.
#[derive(Debug, thiserror::Error)]
pub(super) enum RepositoryError {
    /// Something was asked that only the real source-controller can do. Trying again is no use.
    #[error("the lab's stand-in for source-controller does not support {0}")]
    Unsupported(String),
    #[error("cannot open the repository {}", path.display())]
    Open { path: PathBuf, source: git2::Error },
    #[error("the repository {} has no {what}", path.display())]
    NoSuchReference { path: PathBuf, what: String },
    #[error("cannot read {what} of the repository {}", path.display())]
    Read {
        path: PathBuf,
        what: String,
        source: git2::Error,
    },
    #[error("spec.ignore is no list of patterns as in .gitignore")]
    Ignore(#[source] ignore::Error),
    #[error("cannot pack the repository {}", path.display())]
    Pack {
        path: PathBuf,
        source: super::archive::ArchiveError,
    },
}

/// Lets repositories of every user be read. libgit2 refuses those of others because their settings
/// and hooks could run programs; reading commits in place runs none, and the lab, which is root,
/// is for the repositories of the person at the keyboard.
///
/// Must be called before anything else uses libgit2.
pub(super) fn allow_any_owner() -> Result<(), git2::Error> {
    // SAFETY: this writes a plain global of libgit2, which nothing reads yet, as documented above.
    #[allow(unsafe_code)]
    unsafe {
        git2::opts::set_verify_owner_validation(false)
    }
}

/// A commit that was asked for, by its name in Flux: `main@sha1:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) commit: Oid,
    pub(super) text: String,
}

/// An opened repository.
pub(super) struct Source {
    path: PathBuf,
    repository: Repository,
}

/// Refuses what the stand-in cannot do and finds the repository's folder.
pub(super) fn local_path(spec: &GitRepositorySpec) -> Result<PathBuf, RepositoryError> {
    let asked = [
        (!spec.include.is_empty(), "spec.include"),
        (!spec.sparse_checkout.is_empty(), "spec.sparseCheckout"),
        (spec.recurse_submodules, "spec.recurseSubmodules"),
        (spec.verify.is_some(), "spec.verify"),
    ];
    if let Some((_, field)) = asked.iter().find(|(used, _)| *used) {
        return Err(RepositoryError::Unsupported((*field).to_owned()));
    }
    let elsewhere = || {
        RepositoryError::Unsupported(format!(
            "spec.url {:?}: the lab has no way out; use ssh://localhost/PATH for a repository on \
             this machine",
            spec.url
        ))
    };
    let address = spec
        .url
        .split_once("://")
        .map_or(spec.url.as_str(), |(_, rest)| rest);
    let (host, path) = address.split_once('/').ok_or_else(elsewhere)?;
    match host.rsplit_once('@').map_or(host, |(_, host)| host) {
        "localhost" => Ok(Path::new("/").join(path)),
        _ => Err(elsewhere()),
    }
}

impl Source {
    /// Opens a bare repository, or the one of a working tree.
    pub(super) fn open(path: PathBuf) -> Result<Self, RepositoryError> {
        match Repository::open(&path) {
            Ok(repository) => Ok(Self { path, repository }),
            Err(source) => Err(RepositoryError::Open { path, source }),
        }
    }

    /// Finds the commit that is wanted now. A commit id goes before a ref name, that before a
    /// tag, that before a branch.
    pub(super) fn resolve(
        &self,
        reference: Option<&GitReference>,
    ) -> Result<Revision, RepositoryError> {
        let none = GitReference::default();
        let wanted = reference.unwrap_or(&none);
        if wanted.semver.is_some() {
            return Err(RepositoryError::Unsupported("spec.ref.semver".to_owned()));
        }
        if let Some(id) = &wanted.commit {
            let commit = self.commit(id, &format!("commit {id}"))?;
            let at = wanted.branch.as_deref();
            return Ok(revision(&commit, at));
        }
        let (spec, what, name) = match (&wanted.name, &wanted.tag, &wanted.branch) {
            (Some(name), _, _) => (name.clone(), format!("reference {name}"), name.as_str()),
            (None, Some(tag), _) => (
                format!("refs/tags/{tag}"),
                format!("tag {tag}"),
                tag.as_str(),
            ),
            (None, None, branch) => {
                let branch = branch.as_deref().unwrap_or(DEFAULT_BRANCH);
                (
                    format!("refs/heads/{branch}"),
                    format!("branch {branch}"),
                    branch,
                )
            }
        };
        let commit = self.commit(&spec, &what)?;
        Ok(revision(&commit, Some(name)))
    }

    /// Packs the files of a commit, without those that `spec.ignore` names.
    pub(super) fn archive(
        &self,
        revision: &Revision,
        ignore: Option<&str>,
    ) -> Result<Vec<u8>, RepositoryError> {
        let exclusions = Exclusions::new(ignore).map_err(RepositoryError::Ignore)?;
        let tree = self
            .repository
            .find_commit(revision.commit)
            .and_then(|commit| commit.tree())
            .map_err(|source| self.unreadable(&revision.text, source))?;
        if has_source_ignore(&tree).map_err(|source| self.unreadable(&revision.text, source))? {
            return Err(RepositoryError::Unsupported(
                "a .sourceignore file".to_owned(),
            ));
        }
        let packed = super::archive::of_tree(&self.repository, &tree, &exclusions);
        packed.map_err(|source| RepositoryError::Pack {
            path: self.path.clone(),
            source,
        })
    }

    fn commit(&self, spec: &str, what: &str) -> Result<Commit<'_>, RepositoryError> {
        let found = self
            .repository
            .revparse_single(spec)
            .and_then(|object| object.peel_to_commit());
        found.map_err(|source| match source.code() {
            ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel => {
                RepositoryError::NoSuchReference {
                    path: self.path.clone(),
                    what: what.to_owned(),
                }
            }
            _ => self.unreadable(what, source),
        })
    }

    fn unreadable(&self, what: &str, source: git2::Error) -> RepositoryError {
        RepositoryError::Read {
            path: self.path.clone(),
            what: what.to_owned(),
            source,
        }
    }
}

/// Whether any folder has rules of its own about what is left out.
fn has_source_ignore(tree: &Tree<'_>) -> Result<bool, git2::Error> {
    let mut found = false;
    tree.walk(TreeWalkMode::PreOrder, |_, entry| {
        found |= entry.name_bytes() == b".sourceignore";
        TreeWalkResult::Ok
    })?;
    Ok(found)
}

fn revision(commit: &Commit<'_>, name: Option<&str>) -> Revision {
    let id = commit.id();
    Revision {
        commit: id,
        text: name.map_or_else(|| format!("sha1:{id}"), |name| format!("{name}@sha1:{id}")),
    }
}
