//! `podid profile delete`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::changes::EditError;
use super::edit::{described, editable, one};
use crate::report::{self, CommitArgs};
use crate::repository::Worktree;
use crate::repository::kustomization::{Listing, unlisting};
use crate::yaml;

/// `podid profile delete`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeleteArgs {
    /// Name of the profile
    name: String,

    /// Namespace of the profile
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,

    /// File that holds it, relative to the root of the working tree [default: searched for]
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,

    #[command(flatten)]
    commit: CommitArgs,
}

const EXAMPLES: &str = "\
Takes the profile out of its file, or the file away, and the file off its kustomization.

Example:
  podid profile delete checkout -n payments --dry-run";

/// Takes a profile out of the working tree, and commits that.
pub(crate) fn delete(args: &DeleteArgs, out: &mut dyn Write) -> Result<(), EditError> {
    let worktree = Worktree::open(&args.commit.repo)?;
    let found = one(&worktree, args.path.as_ref(), &args.namespace, &args.name)?;
    let at = editable(&found, &worktree, &args.commit)?;
    let path = &found.path;
    let mut notes = Vec::new();
    let mut changes = Vec::new();
    if found.documents == 1 {
        changes.push(worktree.removal(path)?);
        match unlisting(&worktree, path)? {
            Listing::Add(change) => changes.push(change),
            Listing::Leave(note) => notes.extend(note),
        }
    } else {
        let text = worktree.read(path)?.unwrap_or_default();
        let new = yaml::without_document(&text, at)
            .ok_or_else(|| EditError::Document { path: path.clone() })?;
        changes.push(worktree.change(path, new, true)?);
    }
    let retains = found.object.value["spec"]["identity"]["deletionPolicy"] == "Retain";
    notes.push(if retains {
        "podid will take the identity off its pods; the identity and its roles stay (Retain)".to_owned()
    } else {
        "podid will delete the identity, if it made it, and its roles; `podid plan HEAD~1..HEAD` tells all"
            .to_owned()
    });
    let message = format!("Delete {}", described(&found, &args.namespace));
    let report = report::carry_out(&args.commit, &worktree, &changes, message, notes)?;
    report.print(args.commit.output, out)?;
    Ok(())
}
