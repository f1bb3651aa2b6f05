//! Writes a created object into a git working tree, and reports what was done.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::output::{self, DIM, Format, GOOD, NOTE, paint};
use crate::repository::{Author, Commit, FileChange, RepositoryError, Worktree, kustomization};

/// Flags about the git working tree.
#[derive(Debug, Args)]
#[command(next_help_heading = "Git")]
pub(crate) struct DestinationArgs {
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
    /// What the author should know.
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    next: NextStep,
}

/// What is left to do for the author.
#[derive(Clone, Copy, Debug)]
enum NextStep {
    /// It was only shown.
    Nothing,
    /// The files held it already, and were only to be written or shown.
    AlreadyThere,
    /// The last commit held it already.
    AlreadyCommitted,
    /// The files were written.
    Commit,
    /// The files were written and committed.
    Push,
}

impl NextStep {
    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "nothing was written (--dry-run)",
            Self::AlreadyThere => "nothing changed: the file held this already",
            Self::AlreadyCommitted => "nothing changed, so no commit was made",
            Self::Commit => "commit and push it, and Flux brings it to the cluster",
            Self::Push => "push it, and Flux brings it to the cluster",
        }
    }
}

#[derive(Debug, Serialize)]
struct FileReport {
    path: PathBuf,
    action: &'static str,
}

/// Writes and commits `yaml`, and lists it in the folder's kustomization where there is one.
pub(super) fn write(
    args: &DestinationArgs,
    name: &str,
    default_path: &str,
    yaml: String,
) -> Result<Report, RepositoryError> {
    let worktree = Worktree::open(&args.repo)?;
    let path = args.path.clone().unwrap_or_else(|| default_path.into());
    let mut changes = vec![worktree.change(&path, yaml, args.force)?];
    let mut notes = Vec::new();
    match kustomization::listing(&worktree, &changes[0].path)? {
        kustomization::Listing::Add(change) => changes.push(change),
        kustomization::Listing::Leave(note) => notes.extend(note),
    }
    let verb = match changes[0].old {
        Some(_) => "Update",
        None => "Add",
    };
    let default_message = || format!("{verb} {name}");
    let message = args.message.clone().unwrap_or_else(default_message);
    let mut report = Report {
        dry_run: args.dry_run,
        files: changes.iter().map(FileReport::of).collect(),
        commit: None,
        diff: String::new(),
        notes,
        next: NextStep::Nothing,
    };
    report.carry_out(args, &worktree, &changes, &message)?;
    Ok(report)
}

impl FileReport {
    fn of(change: &FileChange) -> Self {
        let action = match &change.old {
            None => "create",
            Some(_) if change.is_empty() => "keep",
            Some(_) => "update",
        };
        Self {
            path: change.path.clone(),
            action,
        }
    }
}

impl Report {
    /// Shows, writes or commits the changes, as the flags say.
    fn carry_out(
        &mut self,
        args: &DestinationArgs,
        worktree: &Worktree,
        changes: &[FileChange],
        message: &str,
    ) -> Result<(), RepositoryError> {
        let is_unchanged = changes.iter().all(FileChange::is_empty);
        if args.dry_run {
            self.diff = worktree.diff(changes)?;
            self.next = if is_unchanged {
                NextStep::AlreadyThere
            } else {
                NextStep::Nothing
            };
        } else if args.no_commit {
            worktree.write(changes)?;
            self.next = if is_unchanged {
                NextStep::AlreadyThere
            } else {
                NextStep::Commit
            };
        } else {
            // Also when the files are unchanged: they may have been written but not committed before.
            let committed = worktree.commit(changes, message, args.author.as_ref())?;
            self.notes.extend(committed.notes);
            self.commit = committed.commit;
            self.next = if self.commit.is_some() {
                NextStep::Push
            } else {
                NextStep::AlreadyCommitted
            };
        }
        Ok(())
    }

    /// Prints the report.
    pub(super) fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text => self.text(out),
            Format::Json => output::structured(self, false, out),
            Format::Yaml => output::structured(self, true, out),
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
        writeln!(out, "{} {}", paint(DIM, "next   "), self.next.text())
    }
}
