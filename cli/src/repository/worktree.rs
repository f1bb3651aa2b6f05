//! Files of a working tree.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use git2::{DiffOptions, Patch, Repository, RepositoryState};
use tempfile::NamedTempFile;

use super::RepositoryError;

/// Git's mode of a submodule.
const SUBMODULE: u32 = 0o160_000;

/// A git working tree, open for changes.
pub(crate) struct Worktree {
    pub(super) repository: Repository,
    root: PathBuf,
}

/// One file that is to hold `new`.
#[derive(Debug)]
pub(crate) struct FileChange {
    /// Relative to the root of the working tree.
    pub(crate) path: PathBuf,
    /// What it holds now; `None` when it does not exist.
    pub(crate) old: Option<String>,
    /// What it will hold; nothing when it is removed.
    pub(crate) new: String,
    /// Whether it is removed.
    pub(crate) removed: bool,
}

impl FileChange {
    /// Whether the file holds it already.
    pub(crate) fn is_empty(&self) -> bool {
        !self.removed && self.old.as_ref() == Some(&self.new)
    }

    /// For `map_err`: the file could not be `action`.
    fn failed(&self, action: &'static str) -> impl Fn(std::io::Error) -> RepositoryError {
        let path = self.path.clone();
        move |source| RepositoryError::File {
            path: path.clone(),
            action,
            source,
        }
    }
}

impl Worktree {
    /// Opens the working tree that `dir` is in.
    pub(crate) fn open(dir: &Path) -> Result<Self, RepositoryError> {
        let repository = RepositoryError::discover(dir)?;
        let Some(root) = repository.workdir().map(Path::to_owned) else {
            return Err(RepositoryError::Bare {
                dir: dir.to_owned(),
            });
        };
        if let Some(state) = busy(repository.state()) {
            return Err(RepositoryError::Busy {
                dir: dir.to_owned(),
                state,
            });
        }
        Ok(Self { repository, root })
    }

    /// Plans to write `new` to `path`, relative to the root. A file with another content is only
    /// replaced when `replace` says so.
    pub(crate) fn change(
        &self,
        path: &Path,
        new: String,
        replace: bool,
    ) -> Result<FileChange, RepositoryError> {
        let path = self.inside(path)?;
        if self
            .repository
            .is_path_ignored(&path)
            .map_err(RepositoryError::git("read .gitignore"))?
        {
            return Err(RepositoryError::Ignored { path });
        }
        let old = self.read(&path)?;
        if !replace && old.as_ref().is_some_and(|old| *old != new) {
            return Err(RepositoryError::Exists { path });
        }
        Ok(FileChange {
            path,
            old,
            new,
            removed: false,
        })
    }

    /// Plans to remove the file at `path`, relative to the root.
    pub(crate) fn removal(&self, path: &Path) -> Result<FileChange, RepositoryError> {
        let path = self.inside(path)?;
        let old = self.read(&path)?;
        Ok(FileChange {
            path,
            old,
            new: String::new(),
            removed: true,
        })
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Content of a file; `None` when it does not exist.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, RepositoryError> {
        match fs::read_to_string(self.root.join(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RepositoryError::File {
                path: path.to_owned(),
                action: "read",
                source,
            }),
        }
    }

    /// Whether a file differs from the last commit, or is not in it.
    pub(crate) fn is_dirty(&self, path: &Path) -> Result<bool, RepositoryError> {
        let status = self.repository.status_file(path);
        let status = status.map_err(RepositoryError::git("compare a file with the last commit"))?;
        Ok(status != git2::Status::CURRENT)
    }

    /// Writes the files, each as a whole. None of them changes unless all can be written beside their places.
    pub(crate) fn write(&self, changes: &[FileChange]) -> Result<(), RepositoryError> {
        let changes = changes.iter().filter(|change| !change.is_empty());
        let mut prepared = Vec::new();
        for change in changes {
            let path = self.root.join(&change.path);
            let file = match change.removed {
                true => None,
                false => Some(prepare(&path, &change.new).map_err(change.failed("written"))?),
            };
            prepared.push((change, path, file));
        }
        for (change, path, file) in prepared {
            match file {
                Some(file) => {
                    let kept = file.persist(&path).map_err(|error| error.error);
                    kept.map_err(change.failed("written"))?;
                }
                None => fs::remove_file(&path).map_err(change.failed("removed"))?,
            }
        }
        Ok(())
    }

    /// `path` without `.`, if it names a file of the tree, or one that could be: no `..`, no `.git`, no symbolic
    /// link, no submodule.
    pub(crate) fn inside(&self, path: &Path) -> Result<PathBuf, RepositoryError> {
        let outside = || RepositoryError::Outside {
            path: path.to_owned(),
        };
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::CurDir => continue,
                Component::Normal(name) if !name.eq_ignore_ascii_case(".git") => clean.push(name),
                _ => return Err(outside()),
            }
            if self.root.join(&clean).is_symlink() {
                return Err(RepositoryError::Symlink { path: clean });
            }
            if self.is_submodule(&clean)? {
                return Err(RepositoryError::Submodule {
                    path: path.to_owned(),
                    submodule: clean,
                });
            }
        }
        if clean.file_name().is_none() {
            return Err(outside());
        }
        if self.root.join(&clean).is_dir() {
            return Err(RepositoryError::Folder { path: clean });
        }
        Ok(clean)
    }

    /// Whether a submodule is at `path`: a commit on top of a tree without it would take it away.
    fn is_submodule(&self, path: &Path) -> Result<bool, RepositoryError> {
        let index = self.repository.index();
        let index = index.map_err(RepositoryError::git("read its index"))?;
        let entry = index.get_path(path, 0);
        Ok(entry.is_some_and(|entry| entry.mode == SUBMODULE))
    }
}

/// The changes as a unified diff.
pub(crate) fn diff(changes: &[FileChange]) -> Result<String, RepositoryError> {
    let failed = RepositoryError::git("show the difference");
    let mut text = String::new();
    for FileChange { path, old, new, .. } in changes {
        let before = old.as_deref().unwrap_or_default();
        let mut options = DiffOptions::new();
        let patch = Patch::from_buffers(
            before.as_bytes(),
            Some(path),
            new.as_bytes(),
            Some(path),
            Some(&mut options),
        );
        let buffer = patch
            .and_then(|mut patch| patch.to_buf())
            .map_err(&failed)?;
        text.push_str(&String::from_utf8_lossy(&buffer));
    }
    Ok(text)
}

/// A complete temporary file in the same folder, which is to take the name.
fn prepare(path: &Path, text: &str) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // The mode that an editor gives a new file; the umask still applies.
    let readable = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn busy(state: RepositoryState) -> Option<&'static str> {
    match state {
        RepositoryState::Clean => None,
        RepositoryState::Merge => Some("merge"),
        RepositoryState::Revert | RepositoryState::RevertSequence => Some("revert"),
        RepositoryState::CherryPick | RepositoryState::CherryPickSequence => Some("cherry-pick"),
        RepositoryState::Bisect => Some("bisect"),
        RepositoryState::Rebase
        | RepositoryState::RebaseInteractive
        | RepositoryState::RebaseMerge => Some("rebase"),
        RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => Some("git am"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_all_files_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        Repository::init(folder.path()).unwrap();
        fs::write(folder.path().join("file"), "no folder").unwrap();
        let worktree = Worktree::open(folder.path()).unwrap();
        let change = |path: &str| FileChange {
            path: path.into(),
            old: None,
            new: "new".to_owned(),
            removed: false,
        };
        let error = worktree
            .write(&[change("a.yaml"), change("file/b.yaml")])
            .unwrap_err();
        assert_eq!(error.to_string(), "file/b.yaml cannot be written");
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, ".git and the file");
        worktree
            .write(&[change("a.yaml"), change("c/b.yaml")])
            .unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("c/b.yaml")).unwrap(),
            "new"
        );
    }
}
