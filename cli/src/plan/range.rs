//! The two sides of a range of commits, written to a temporary folder; nothing is checked out.

use std::fs;
use std::path::{Component, Path, PathBuf};

use git2::{ErrorCode, ObjectType, Repository, TreeWalkMode, TreeWalkResult};
use tempfile::TempDir;

/// Largest file that is written out, in bytes; manifests are smaller.
const MAX_BLOB: usize = 16 * 1024 * 1024;

/// Why a range cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RangeError {
    #[error("{dir} is not in a git repository; name one with --repo")]
    NoRepository { dir: PathBuf, source: git2::Error },
    #[error("{name:?} is no commit of {dir}{hint}")]
    NoCommit {
        name: String,
        dir: PathBuf,
        /// What is often the cause, from a `; ` on; may be empty.
        hint: &'static str,
        source: git2::Error,
    },
    #[error("{one} and {other} have no commit in common{hint}")]
    NoMergeBase {
        one: String,
        other: String,
        hint: &'static str,
        source: git2::Error,
    },
    #[error("{path} of {name} is a symbolic link out of the tree, to {target}; it is not followed")]
    Link {
        path: PathBuf,
        name: String,
        target: String,
    },
    #[error("commit {name} cannot be read")]
    Git { name: String, source: git2::Error },
    #[error("{path} of {name} cannot be written to a temporary folder")]
    Write {
        path: PathBuf,
        name: String,
        source: std::io::Error,
    },
    #[error(
        "{path} is a folder in neither version of {range}; --path begins at the root of the repository"
    )]
    NoFolder { path: PathBuf, range: String },
    #[error("a temporary folder cannot be made")]
    Temporary(#[source] std::io::Error),
}

/// One side of a range, written out.
pub(super) struct Side {
    /// As the user names it.
    pub(super) name: String,
    pub(super) folder: TempDir,
}

/// Writes out both sides of `range`: `A..B` from A to B, `A...B` from where B left A, to B. A side that is left
/// out is HEAD.
pub(super) fn sides(repo: &Path, range: &str) -> Result<[Side; 2], RangeError> {
    let repository = Repository::discover(repo).map_err(|source| RangeError::NoRepository {
        dir: repo.to_owned(),
        source,
    })?;
    let (old, new, from_base) = split(range);
    let (mut first, last) = (commit(&repository, &old)?, commit(&repository, &new)?);
    if from_base {
        first = repository
            .merge_base(first, last)
            .map_err(|source| RangeError::NoMergeBase {
                one: old.clone(),
                other: new.clone(),
                hint: shallow_hint(&repository),
                source,
            })?;
    }
    Ok([
        side(&repository, old, first)?,
        side(&repository, new, last)?,
    ])
}

/// Whether both sides of `range` are commits.
pub(super) fn names_commits(repo: &Path, range: &str) -> bool {
    let Ok(repository) = Repository::discover(repo) else {
        return false;
    };
    let (old, new, _) = split(range);
    [old, new]
        .iter()
        .all(|name| commit(&repository, name).is_ok())
}

/// Both names of a range, and whether it begins where the second left the first. A side that is left out is HEAD.
fn split(range: &str) -> (String, String, bool) {
    let named = |name: &str| if name.is_empty() { "HEAD" } else { name }.to_owned();
    let (old, new, from_base) = match range.split_once("...") {
        Some((old, new)) => (old, new, true),
        None => {
            let (old, new) = range.split_once("..").unwrap_or((range, ""));
            (old, new, false)
        }
    };
    (named(old), named(new), from_base)
}

fn commit(repository: &Repository, name: &str) -> Result<git2::Oid, RangeError> {
    let found = repository.revparse_single(name);
    let commit = found.and_then(|object| object.peel(ObjectType::Commit));
    commit
        .map(|commit| commit.id())
        .map_err(|source| RangeError::NoCommit {
            name: name.to_owned(),
            dir: repository.workdir().unwrap_or(repository.path()).to_owned(),
            hint: match repository.head() {
                Err(error) if error.code() == ErrorCode::UnbornBranch => {
                    "; the branch has no commit yet"
                }
                _ => shallow_hint(repository),
            },
            source,
        })
}

fn shallow_hint(repository: &Repository) -> &'static str {
    if repository.is_shallow() {
        "; the clone is shallow: run `git fetch --unshallow`, or have the pipeline fetch the whole \
         history (fetch-depth: 0)"
    } else {
        ""
    }
}

fn side(repository: &Repository, name: String, commit: git2::Oid) -> Result<Side, RangeError> {
    let folder = TempDir::new().map_err(RangeError::Temporary)?;
    let git = |source| RangeError::Git {
        name: name.clone(),
        source,
    };
    let tree = repository.find_commit(commit).and_then(|it| it.tree());
    let mut failed = None;
    let walked = tree
        .map_err(git)?
        .walk(TreeWalkMode::PreOrder, |parent, entry| {
            match write(repository, &name, folder.path(), parent, entry) {
                Ok(()) => TreeWalkResult::Ok,
                Err(error) => {
                    failed = Some(error);
                    TreeWalkResult::Abort
                }
            }
        });
    if let Some(error) = failed {
        return Err(error);
    }
    walked.map_err(git)?;
    Ok(Side { name, folder })
}

fn write(
    repository: &Repository,
    name: &str,
    root: &Path,
    parent: &str,
    entry: &git2::TreeEntry<'_>,
) -> Result<(), RangeError> {
    let file_name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
    let path = Path::new(parent).join(file_name);
    let failed = |source| RangeError::Write {
        path: path.clone(),
        name: name.to_owned(),
        source,
    };
    // git itself refuses such names; a repository made by hand may have them.
    let is_inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let target = root.join(&path);
    match entry.kind() {
        Some(ObjectType::Tree) if is_inside => fs::create_dir_all(target).map_err(failed),
        Some(ObjectType::Blob) if is_inside => {
            let git = |source| RangeError::Git {
                name: name.to_owned(),
                source,
            };
            // The size first: a file may be larger than memory.
            let header = repository.odb().and_then(|odb| odb.read_header(entry.id()));
            let (size, _) = header.map_err(git)?;
            if size > MAX_BLOB {
                return large(&target, size).map_err(failed);
            }
            let blob = repository.find_blob(entry.id()).map_err(git)?;
            if entry.filemode() == 0o120_000 {
                let text = String::from_utf8_lossy(blob.content()).into_owned();
                return link(name, &path, &target, text);
            }
            fs::write(target, blob.content()).map_err(failed)
        }
        _ => Ok(()),
    }
}

/// A file of this size without its content: nothing reads it but to find that it is too large.
fn large(target: &Path, size: usize) -> std::io::Result<()> {
    let file = fs::File::create(target)?;
    file.set_len(size as u64)
}

/// Makes a symbolic link that stays in the tree.
fn link(name: &str, path: &Path, target: &Path, text: String) -> Result<(), RangeError> {
    let mut depth = path.components().count() as i64 - 1;
    for part in Path::new(&text).components() {
        depth += match part {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            Component::CurDir => 0,
            Component::RootDir | Component::Prefix(_) => i64::MIN / 2,
        };
        if depth < 0 {
            return Err(RangeError::Link {
                path: path.to_owned(),
                name: name.to_owned(),
                target: text,
            });
        }
    }
    std::os::unix::fs::symlink(&text, target).map_err(|source| RangeError::Write {
        path: path.to_owned(),
        name: name.to_owned(),
        source,
    })
}
