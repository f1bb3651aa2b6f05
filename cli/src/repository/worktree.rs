//! Files of a working tree.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use git2::{DiffOptions, ErrorCode, Patch, Repository, RepositoryState};

use super::RepositoryError;

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
    /// What it will hold.
    pub(crate) new: String,
}

impl FileChange {
    /// Whether the file holds it already.
    pub(crate) fn is_empty(&self) -> bool {
        self.old.as_ref() == Some(&self.new)
    }
}

impl Worktree {
    /// Opens the working tree that `dir` is in.
    pub(crate) fn open(dir: &Path) -> Result<Self, RepositoryError> {
        let repository = Repository::discover(dir).map_err(|source| {
            let dir = dir.to_owned();
            match source.code() {
                ErrorCode::Owner => RepositoryError::Untrusted { dir, source },
                _ => RepositoryError::NoRepository { dir, source },
            }
        })?;
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
        Ok(FileChange { path, old, new })
    }

    /// Content of a file; `None` when it does not exist.
    pub(super) fn read(&self, path: &Path) -> Result<Option<String>, RepositoryError> {
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
    pub(super) fn is_dirty(&self, path: &Path) -> Result<bool, RepositoryError> {
        let status = self.repository.status_file(path);
        let status = status.map_err(RepositoryError::git("compare a file with the last commit"))?;
        Ok(status != git2::Status::CURRENT)
    }

    /// The changes as a unified diff.
    pub(crate) fn diff(&self, changes: &[FileChange]) -> Result<String, RepositoryError> {
        let failed = RepositoryError::git("show the difference");
        let mut text = String::new();
        for FileChange { path, old, new } in changes {
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

    /// Writes the files, each as a whole or not at all.
    pub(crate) fn write(&self, changes: &[FileChange]) -> Result<(), RepositoryError> {
        for change in changes.iter().filter(|change| !change.is_empty()) {
            let path = self.root.join(&change.path);
            write_file(&path, &change.new).map_err(|source| RepositoryError::File {
                path: change.path.clone(),
                action: "written",
                source,
            })?;
        }
        Ok(())
    }

    /// `path` without `.`, if it stays inside the tree: no `..`, no `.git`, no symbolic link.
    fn inside(&self, path: &Path) -> Result<PathBuf, RepositoryError> {
        let outside = || RepositoryError::Outside {
            path: path.to_owned(),
        };
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) if !name.eq_ignore_ascii_case(".git") => clean.push(name),
                _ => return Err(outside()),
            }
            if self.root.join(&clean).is_symlink() {
                return Err(RepositoryError::Symlink { path: clean });
            }
        }
        if clean.file_name().is_none() || self.root.join(&clean).is_dir() {
            return Err(outside());
        }
        Ok(clean)
    }
}

/// A temporary file in the same folder takes the name when it is complete.
fn write_file(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // The mode that an editor gives a new file; the umask still applies.
    let readable = fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .permissions(readable)
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
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
