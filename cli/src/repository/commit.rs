//! Commits that hold our files and nothing else.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use git2::{Config, ErrorCode, Index, IndexEntry, IndexTime, Oid, Repository, Signature};
use serde::Serialize;

use super::{FileChange, RepositoryError, Worktree};

/// Git's mode of a plain file.
const PLAIN_FILE: u32 = 0o100_644;

/// Who commits: `Name <email>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    name: String,
    email: String,
}

impl FromStr for Author {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .trim()
            .strip_suffix('>')
            .and_then(|text| text.split_once('<'));
        match parts.map(|(name, email)| (name.trim(), email.trim())) {
            Some((name, email)) if !name.is_empty() && !email.is_empty() => Ok(Self {
                name: name.to_owned(),
                email: email.to_owned(),
            }),
            _ => Err("write \"Name <email>\"".to_owned()),
        }
    }
}

/// A commit that was made.
#[derive(Debug, Serialize)]
pub(crate) struct Commit {
    /// Its full id.
    pub(crate) id: String,
    /// The branch it is on.
    pub(crate) branch: String,
    /// Its message.
    pub(crate) message: String,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.id.chars().take(7).collect();
        let subject = self.message.lines().next().unwrap_or_default();
        write!(f, "{short} on {}: {subject}", self.branch)
    }
}

/// The commit, `None` when nothing changed, and notes for the author.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) commit: Option<Commit>,
    pub(crate) notes: Vec<String>,
}

impl Worktree {
    /// Writes the files and commits exactly them on top of HEAD. What else is staged stays staged
    /// and uncommitted.
    pub(crate) fn commit(
        &self,
        changes: &[FileChange],
        message: &str,
        author: Option<&Author>,
    ) -> Result<Committed, RepositoryError> {
        let repository = &self.repository;
        let config = repository
            .config()
            .and_then(|mut config| config.snapshot())
            .map_err(RepositoryError::git("read its settings"))?;
        let author = signature_of(&config, author)?;
        let parent = head(repository)?;
        let branch = branch(repository).ok_or(RepositoryError::Detached)?;
        self.write(changes)?;

        let tree = tree_with(repository, parent.as_ref(), changes)
            .map_err(RepositoryError::git("write the files into its store"))?;
        if parent
            .as_ref()
            .is_some_and(|parent| parent.tree_id() == tree)
        {
            let notes = vec!["the last commit holds all of this already".to_owned()];
            return Ok(Committed {
                commit: None,
                notes,
            });
        }
        // Before the commit, so that an index somebody else has locked is found in time.
        stage(repository, changes).map_err(RepositoryError::git("update its index"))?;
        let id = repository
            .find_tree(tree)
            .and_then(|tree| {
                let parents: Vec<_> = parent.iter().collect();
                repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents)
            })
            .map_err(RepositoryError::git("commit"))?;
        let notes = notes(repository);
        let commit = Commit {
            id: id.to_string(),
            branch,
            message: message.to_owned(),
        };
        Ok(Committed {
            commit: Some(commit),
            notes,
        })
    }
}

/// Who commits: the author that was named, else whom git's configuration names.
pub(super) fn signature_of(
    config: &Config,
    author: Option<&Author>,
) -> Result<Signature<'static>, RepositoryError> {
    let signature = match author {
        Some(author) => Signature::now(&author.name, &author.email),
        None => config.get_string("user.name").and_then(|name| {
            let email = config.get_string("user.email")?;
            Signature::now(&name, &email)
        }),
    };
    signature.map_err(RepositoryError::Nobody)
}

/// The last commit; `None` before the first one.
fn head(repository: &Repository) -> Result<Option<git2::Commit<'_>>, RepositoryError> {
    match repository.head().and_then(|head| head.peel_to_commit()) {
        Ok(commit) => Ok(Some(commit)),
        Err(error) if error.code() == ErrorCode::UnbornBranch => Ok(None),
        Err(source) => Err(RepositoryError::Git {
            action: "read HEAD",
            source,
        }),
    }
}

/// HEAD's tree with our files in it, built aside from the repository's own index.
pub(super) fn tree_with(
    repository: &Repository,
    parent: Option<&git2::Commit<'_>>,
    changes: &[FileChange],
) -> Result<Oid, git2::Error> {
    let mut index = Index::new()?;
    if let Some(parent) = parent {
        index.read_tree(&parent.tree()?)?;
    }
    for change in changes {
        if change.removed {
            index.remove_path(&change.path)?;
            continue;
        }
        let blob = repository.blob(change.new.as_bytes())?;
        index.add(&entry(&change.path, blob, change.new.len()))?;
    }
    index.write_tree_to(repository)
}

/// The same files in the repository's index, so that they do not look removed.
fn stage(repository: &Repository, changes: &[FileChange]) -> Result<(), git2::Error> {
    let mut index = repository.index()?;
    for change in changes {
        if change.removed {
            index.remove_path(&change.path)?;
        } else {
            index.add_path(&change.path)?;
        }
    }
    index.write()
}

fn entry(path: &Path, id: Oid, size: usize) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: PLAIN_FILE,
        uid: 0,
        gid: 0,
        file_size: u32::try_from(size).unwrap_or(u32::MAX),
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_os_str().as_encoded_bytes().to_vec(),
    }
}

/// The branch that HEAD is on; `None` when it is detached.
fn branch(repository: &Repository) -> Option<String> {
    let head = repository.find_reference("HEAD").ok()?;
    let target = head.symbolic_target().ok().flatten()?;
    Some(
        target
            .strip_prefix("refs/heads/")
            .unwrap_or(target)
            .to_owned(),
    )
}

fn notes(repository: &Repository) -> Vec<String> {
    let mut notes = Vec::new();
    let signing = repository
        .config()
        .and_then(|config| config.get_bool("commit.gpgsign"));
    if signing.unwrap_or(false) {
        let how = "git commit --amend --no-edit -S";
        notes.push(format!(
            "commit.gpgsign is set, but podid does not sign; do it with `{how}`"
        ));
    }
    notes
}
