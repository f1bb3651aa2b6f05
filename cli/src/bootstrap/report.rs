//! What was done, or with `--dry-run` would be.

use std::io::{self, Write};

use git2::Oid;
use serde::Serialize;

use super::decide::Decision;
use crate::output::{self, DIM, Format, GOOD, NOTE, paint};
use crate::report::FileReport;
use crate::repository::remote::{RemoteRepository, Tip, pull_request};
use crate::repository::{self, Commit, FileChange, RepositoryError};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BootstrapReport {
    dry_run: bool,
    /// Without user or password.
    repository: String,
    branch: String,
    up_to_date: bool,
    files: Vec<FileReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    notes: Vec<String>,
    /// What to do next about the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: Option<String>,
}

impl BootstrapReport {
    pub(super) fn new(remote: &RemoteRepository, tip: &Tip, decision: &Decision) -> Self {
        let files = decision.changes.iter().map(FileReport::of);
        Self {
            dry_run: false,
            repository: remote.location().to_string(),
            branch: tip.branch.clone(),
            up_to_date: decision.changes.is_empty(),
            files: files.collect(),
            commit: None,
            diff: String::new(),
            notes: decision.notes.clone(),
            pull_request: None,
        }
    }

    /// Nothing is pushed; the changes are shown.
    pub(super) fn shown(mut self, changes: &[FileChange]) -> Result<Self, RepositoryError> {
        self.dry_run = true;
        self.diff = repository::diff(changes)?;
        Ok(self)
    }

    /// The commit is on the branch there.
    pub(super) fn pushed(
        &mut self,
        remote: &RemoteRepository,
        tip: &Tip,
        commit: Oid,
        message: String,
    ) {
        self.commit = Some(Commit {
            id: commit.to_string(),
            branch: tip.branch.clone(),
            message,
        });
        if tip.branch != tip.default_branch && tip.commit.is_some() {
            let (branch, base) = (&tip.branch, &tip.default_branch);
            let page = pull_request::page(remote.location(), branch, base);
            self.pull_request = Some(page.unwrap_or_else(|| format!("from {branch} into {base}")));
        }
    }

    pub(super) fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        output::formatted(self, format, out, Self::text)
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        output::diff(&self.diff, out)?;
        self.files.iter().try_for_each(|file| file.text(out))?;
        if let Some(commit) = &self.commit {
            writeln!(out, "{} {commit}", paint(GOOD, "commit "))?;
            writeln!(out, "{} {}", paint(GOOD, "pushed "), self.repository)?;
        }
        for note in &self.notes {
            writeln!(out, "{} {note}", paint(NOTE, "note   "))?;
        }
        writeln!(out, "{} {}", paint(DIM, "next   "), self.next())
    }

    fn next(&self) -> String {
        match &self.pull_request {
            _ if self.up_to_date => format!("up to date: branch {} holds all of this", self.branch),
            _ if self.dry_run => "nothing was pushed (--dry-run)".to_owned(),
            Some(how) => format!("open the pull request: {how}"),
            None => "Flux installs podid at its next sync".to_owned(),
        }
    }
}
