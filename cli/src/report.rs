//! Changes of a git working tree that a command makes, and the report of what was done.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::output::{self, DIM, Format, GOOD, NOTE, paint};
use crate::repository::{self, Author, Commit, FileChange, RepositoryError, Worktree};

/// Flags about the git working tree.
#[derive(Debug, Args)]
#[command(next_help_heading = "Git")]
pub(crate) struct CommitArgs {
    /// Git working tree to write into
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,

    /// Commit message [default: what was done]
    #[arg(long, short, value_name = "TEXT", conflicts_with = "no_commit")]
    message: Option<String>,

    /// Author and committer [default: git's user.name and user.email]
    #[arg(long, value_name = "NAME <EMAIL>", conflicts_with = "no_commit")]
    author: Option<Author>,

    /// Write the files, but do not commit them
    #[arg(long)]
    no_commit: bool,

    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Format,
}

impl CommitArgs {
    /// Whether a commit is made.
    pub(crate) fn commits(&self) -> bool {
        !self.no_commit && !self.dry_run
    }
}

/// Carries out `changes` as the flags say; `message` is that of the commit unless the user gives one.
pub(crate) fn carry_out(
    args: &CommitArgs,
    worktree: &Worktree,
    changes: &[FileChange],
    message: String,
    notes: Vec<String>,
) -> Result<Report, RepositoryError> {
    let message = args.message.clone().unwrap_or(message);
    let mut report = Report {
        dry_run: args.dry_run,
        files: changes.iter().map(FileReport::of).collect(),
        commit: None,
        diff: String::new(),
        notes,
        next: NextStep::Nothing,
    };
    report.carry_out(args, worktree, changes, &message)?;
    Ok(report)
}

/// What was done, or with `--dry-run` would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    dry_run: bool,
    files: Vec<FileReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    /// What the author should know.
    pub(crate) notes: Vec<String>,
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

/// What becomes of a file.
#[derive(Debug, Serialize)]
pub(crate) struct FileReport {
    path: PathBuf,
    action: &'static str,
}

impl FileReport {
    /// Of one change.
    pub(crate) fn of(change: &FileChange) -> Self {
        let action = match &change.old {
            _ if change.removed => "delete",
            None => "create",
            Some(_) if change.is_empty() => "keep",
            Some(_) => "update",
        };
        Self {
            path: change.path.clone(),
            action,
        }
    }

    /// For people, on a line.
    pub(crate) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let action = paint(GOOD, &format!("{:<7}", self.action));
        writeln!(out, "{action} {}", self.path.display())
    }
}

impl Report {
    /// Shows, writes or commits the changes, as the flags say.
    fn carry_out(
        &mut self,
        args: &CommitArgs,
        worktree: &Worktree,
        changes: &[FileChange],
        message: &str,
    ) -> Result<(), RepositoryError> {
        let is_unchanged = changes.iter().all(FileChange::is_empty);
        if args.dry_run {
            self.diff = repository::diff(changes)?;
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
    pub(crate) fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        output::formatted(self, format, out, Self::text)
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        output::diff(&self.diff, out)?;
        self.files.iter().try_for_each(|file| file.text(out))?;
        if let Some(commit) = &self.commit {
            writeln!(out, "{} {commit}", paint(GOOD, "commit "))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {note}", paint(NOTE, "note   "))?;
        }
        writeln!(out, "{} {}", paint(DIM, "next   "), self.next.text())
    }
}
