//! Where a created object goes, and what is told about it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::output::{self, DIM, Format, GOOD, NOTE, paint};
use crate::repository::{Author, Change, Commit, RepositoryError, Worktree, kustomization};

/// Flags about the git working tree.
#[derive(Debug, Args)]
#[command(next_help_heading = "Git")]
pub(crate) struct PlaceArgs {
    /// Git working tree to write into
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,

    /// File to write, relative to the root of the working tree
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,

    /// Commit message [default: what was added]
    #[arg(long, short, value_name = "TEXT", conflicts_with = "no_commit")]
    message: Option<String>,

    /// Author and committer [default: git's user.name and user.email]
    #[arg(long, value_name = "NAME <EMAIL>", conflicts_with = "no_commit")]
    author: Option<Author>,

    /// Overwrite a file that exists
    #[arg(long)]
    force: bool,

    /// Write the file, but do not commit it
    #[arg(long)]
    no_commit: bool,

    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

/// What was done, or with `--dry-run` would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    dry_run: bool,
    files: Vec<FileReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileReport {
    path: PathBuf,
    action: &'static str,
}

/// Writes and commits `yaml`, and lists it in the folder's kustomization where there is one.
pub(super) fn place(
    args: &PlaceArgs,
    name: &str,
    default_path: &str,
    yaml: String,
) -> Result<Report, RepositoryError> {
    let worktree = Worktree::open(&args.repo)?;
    let path = args.path.clone().unwrap_or_else(|| default_path.into());
    let file = worktree.change(&path, yaml, args.force)?;
    let mut notes = Vec::new();
    let mut changes = vec![file];
    match kustomization::listing(&worktree, &changes[0].path)? {
        kustomization::Listing::Add(change) => changes.push(change),
        kustomization::Listing::Leave(Some(note)) => notes.push(note),
        kustomization::Listing::Leave(None) => {}
    }

    let verb = if changes[0].old.is_some() {
        "Update"
    } else {
        "Add"
    };
    let message = args
        .message
        .clone()
        .unwrap_or_else(|| format!("{verb} {name}"));
    let files = changes.iter().map(FileReport::of).collect();
    let (mut commit, mut diff) = (None, String::new());
    if args.dry_run {
        diff = worktree.diff(&changes)?;
    } else if args.no_commit {
        worktree.write(&changes)?;
    } else {
        let committed = worktree.commit(&changes, &message, args.author.as_ref())?;
        notes.extend(committed.notes);
        commit = committed.commit;
    }
    Ok(Report {
        dry_run: args.dry_run,
        files,
        commit,
        diff,
        notes,
    })
}

impl FileReport {
    fn of(change: &Change) -> Self {
        let action = match &change.old {
            None => "create",
            Some(old) if *old == change.new => "keep",
            Some(_) => "update",
        };
        Self {
            path: change.path.clone(),
            action,
        }
    }
}

impl Report {
    /// Prints the report.
    pub(super) fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text => self.text(out),
            Format::Json => output::machine(self, false, out),
            Format::Yaml => output::machine(self, true, out),
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in self.diff.lines() {
            let style = match line.bytes().next() {
                Some(b'+') => GOOD,
                Some(b'-') => output::BAD,
                _ => DIM,
            };
            writeln!(out, "{}", paint(style, line))?;
        }
        for FileReport { path, action } in &self.files {
            writeln!(
                out,
                "{} {}",
                paint(GOOD, &format!("{action:<7}")),
                path.display()
            )?;
        }
        if let Some(commit) = &self.commit {
            writeln!(out, "{} {commit}", paint(GOOD, "commit "))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {note}", paint(NOTE, "note   "))?;
        }
        let next = match (&self.commit, self.dry_run) {
            (_, true) => "nothing was written (--dry-run)",
            (Some(_), _) => "push it, and Flux brings it to the cluster",
            (None, false) => "commit and push it, and Flux brings it to the cluster",
        };
        writeln!(out, "{} {next}", paint(DIM, "next   "))
    }
}
