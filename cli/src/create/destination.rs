//! Writes a created object into a git working tree.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::report::{self, CommitArgs, Report};
use crate::repository::{RepositoryError, Worktree, kustomization};

/// Flags about the file and the git working tree.
#[derive(Debug, Args)]
#[command(next_help_heading = "Git")]
pub(crate) struct DestinationArgs {
    /// File to write, relative to the root of the working tree
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,

    /// Overwrite a file that exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    pub(super) commit: CommitArgs,
}

/// Writes and commits `yaml`, and lists it in the folder's kustomization where there is one.
pub(super) fn write(
    args: &DestinationArgs,
    name: &str,
    default_path: &str,
    yaml: String,
) -> Result<Report, RepositoryError> {
    let worktree = Worktree::open(&args.commit.repo)?;
    let path = args.path.clone().unwrap_or_else(|| default_path.into());
    let mut changes = vec![worktree.change(&path, yaml, args.force)?];
    let mut notes = Vec::new();
    match kustomization::listing(&worktree, &changes[0].path)? {
        kustomization::Listing::Add(change) => changes.push(change),
        kustomization::Listing::Leave(note) => notes.extend(note),
    }
    notes.extend(beside_clusters(&worktree, &changes[0].path));
    let verb = match changes[0].old {
        Some(_) => "Update",
        None => "Add",
    };
    let message = format!("{verb} {name}");
    report::carry_out(&args.commit, &worktree, &changes, message, notes)
}

/// That Flux may not see a file, in a repository with the folders that `podid bootstrap git` writes.
fn beside_clusters(worktree: &Worktree, path: &Path) -> Option<String> {
    let clusters = std::fs::read_dir(worktree.root().join("clusters")).ok()?;
    let folders = clusters
        .flatten()
        .map(|cluster| cluster.path().join("podid"));
    let folder = folders.into_iter().find(|folder| folder.is_dir())?;
    let folder = folder.strip_prefix(worktree.root()).ok()?.join("profiles");
    (!path.starts_with("clusters")).then(|| {
        format!(
            "{} is not in the folder of a cluster: unless a Kustomization of Flux leads there, give --path {}/…",
            path.display(),
            folder.display()
        )
    })
}
