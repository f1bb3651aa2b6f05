//! One group, from its go.mod to its programs.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::cache::{self, Cache, CacheError};
use super::error::ToolsError;
use super::go::Go;
use super::groups::Group;
use super::progress::{Job, Progress};
use super::seccomp;
use super::space::DiskFull;

/// How many of the last lines of Go's output may hold the reason of a failure.
const LAST_LINES: usize = 20;
/// Folder of a build for Go's temporary files. It begins with a dot so that Go
/// does not take it for a package of the module.
const TEMPORARY: &str = ".temporary";

/// A group with what is to be built of it, and the name of that build.
pub(super) struct Plan {
    group: &'static Group,
    programs: Vec<(&'static str, &'static str)>,
    flags: String,
}

impl Plan {
    /// `None` when the user `has` every program of the group.
    pub(super) fn new(group: &'static Group, has: impl Fn(&str) -> bool) -> Option<Self> {
        let programs: Vec<_> = group
            .programs
            .iter()
            .filter(|(name, _)| !has(name))
            .copied()
            .collect();
        if programs.is_empty() {
            return None;
        }
        Some(Self {
            group,
            programs,
            flags: format!("-s -w {}", group.ldflags),
        })
    }

    /// Whether every program is in the folder `bin`.
    pub(super) fn is_in(&self, bin: &Path) -> bool {
        self.programs
            .iter()
            .all(|(name, _)| bin.join(name).exists())
    }

    /// All that the programs come from, but Go.
    pub(super) fn inputs(&self) -> Vec<&str> {
        [self.module(), self.programs()].concat()
    }

    fn module(&self) -> Vec<&str> {
        let mut parts = vec![self.group.go_mod, self.group.go_sum, &*self.flags];
        parts.extend(self.group.sources.iter().map(|(_, text)| *text));
        parts.extend(self.group.seccomp.then_some(seccomp::TAG));
        parts
    }

    /// Name in the cache of the build by this Go.
    pub(super) fn key(&self, go: &Go) -> String {
        let mut parts = self.module();
        parts.push(&go.version);
        parts.append(&mut self.programs());
        format!("{}-{}", self.group.name, cache::key(parts))
    }

    /// Name in the cache of the link to the build by whichever Go made one.
    pub(super) fn link(&self) -> String {
        format!("{}-{}.built", self.group.name, cache::key(self.inputs()))
    }

    /// Names of the programs.
    pub(super) fn programs(&self) -> Vec<&'static str> {
        self.programs.iter().map(|(name, _)| *name).collect()
    }

    /// Builds the group into the cache, unless it is there.
    pub(super) fn build(
        &self,
        go: &Go,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<(), ToolsError> {
        cache.fill(&self.key(go), |dir| {
            let job = progress.start(&self.programs().join(", "));
            let work = dir.join("work");
            self.write_module(&work).map_err(CacheError::from)?;
            let mut command = self.command(go, &work, dir);
            if self.group.seccomp {
                seccomp::link(&mut command, cache, &work.join(TEMPORARY))?;
            }
            self.run(&mut command, &cache.log(self.group.name), &job)?;
            fs::remove_dir_all(&work).map_err(cache::failed("remove", &work))?;
            job.done();
            Ok(())
        })
    }

    fn write_module(&self, dir: &Path) -> std::io::Result<()> {
        fs::create_dir(dir)?;
        fs::create_dir(dir.join(TEMPORARY))?;
        fs::write(dir.join("go.mod"), self.group.go_mod)?;
        fs::write(dir.join("go.sum"), self.group.go_sum)?;
        let mut sources = self.group.sources.iter();
        sources.try_for_each(|(name, text)| fs::write(dir.join(name), text))
    }

    /// A single program is named explicitly: Go would name it after its
    /// package, which for etcd is `server`.
    fn command(&self, go: &Go, work: &Path, into: &Path) -> Command {
        let output = match self.programs.as_slice() {
            [(name, _)] => into.join(name),
            _ => PathBuf::from(format!("{}/", into.display())),
        };
        let mut command = go.command();
        command
            .args([
                "build",
                "-v",
                "-trimpath",
                "-buildvcs=false",
                "-ldflags",
                &self.flags,
                "-o",
            ])
            .arg(output)
            .args(self.programs.iter().map(|(_, package)| package))
            // In the temporary directory of the build, so that the next one
            // clears them when this one is killed.
            .env("TMPDIR", work.join(TEMPORARY))
            .env("GOTMPDIR", work.join(TEMPORARY))
            .current_dir(work);
        command
    }

    fn run(&self, command: &mut Command, log: &Path, job: &Job) -> Result<(), ToolsError> {
        let failed = |said: String| match DiskFull::behind(log, &said) {
            Some(disk) => ToolsError::Full {
                what: self.group.name.to_owned(),
                disk,
            },
            None => ToolsError::Build {
                group: self.group.name,
                last: said.lines().next_back().unwrap_or("no word why").to_owned(),
                log: log.to_owned(),
            },
        };
        let mut file = File::create(log).map_err(cache::failed("create", log))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let said = follow(&mut child, &mut file, job);
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(said))
        }
    }
}

/// Copies what Go says to the log, one package per line while all is well,
/// and returns the end of it.
fn follow(child: &mut Child, log: &mut File, job: &Job) -> String {
    let mut end = VecDeque::new();
    let Some(stderr) = child.stderr.take() else {
        return String::new();
    };
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        // A log that cannot be written is no reason to stop a build.
        let _ = writeln!(log, "{line}");
        job.package(&line);
        if !line.trim().is_empty() {
            end.truncate(LAST_LINES - 1);
            end.push_front(line);
        }
    }
    let lines: Vec<String> = end.into_iter().rev().collect();
    lines.join("\n")
}
