//! One group, from its go.mod to its programs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ToolsError;
use super::cache::{self, Cache, CacheError};
use super::go::Go;
use super::groups::Group;
use super::progress::{Job, Progress};

/// A group with what is to be built of it, and the name of that build.
pub(super) struct Plan {
    group: &'static Group,
    programs: Vec<(&'static str, &'static str)>,
    flags: String,
    /// Name in the cache.
    pub(super) key: String,
}

impl Plan {
    /// `None` when the user `has` every program of the group.
    pub(super) fn new(group: &'static Group, go: &Go, has: impl Fn(&str) -> bool) -> Option<Self> {
        let programs: Vec<_> = group
            .programs
            .iter()
            .filter(|(name, _)| !has(name))
            .copied()
            .collect();
        if programs.is_empty() {
            return None;
        }
        let flags = format!("-s -w {}", group.ldflags);
        let names = programs.iter().map(|(name, _)| *name);
        let inputs = [group.go_mod, group.go_sum, &flags, &go.version];
        let key = format!(
            "{}-{}",
            group.name,
            cache::key(inputs.into_iter().chain(names))
        );
        Some(Self {
            group,
            programs,
            flags,
            key,
        })
    }

    /// Names of the programs.
    pub(super) fn programs(&self) -> impl Iterator<Item = &'static str> {
        self.programs.iter().map(|(name, _)| *name)
    }

    /// Builds the group into the cache.
    pub(super) fn build(
        &self,
        go: &Go,
        cache: &Cache,
        progress: &Progress,
    ) -> Result<(), ToolsError> {
        let names: Vec<&str> = self.programs().collect();
        let job = progress.start(&names.join(", "));
        cache.fill(&self.key, |dir| {
            let source = dir.join("source");
            self.write_module(&source).map_err(CacheError::from)?;
            let mut command = self.command(go, &source, dir);
            self.run(&mut command, &cache.log(self.group.name), &job)?;
            fs::remove_dir_all(&source).map_err(cache::failed("remove", &source))?;
            Ok::<(), ToolsError>(())
        })?;
        job.done();
        Ok(())
    }

    fn write_module(&self, dir: &Path) -> std::io::Result<()> {
        fs::create_dir(dir)?;
        fs::write(dir.join("go.mod"), self.group.go_mod)?;
        fs::write(dir.join("go.sum"), self.group.go_sum)
    }

    /// A single program is named explicitly: Go would name it after its
    /// package, which for etcd is `server`.
    fn command(&self, go: &Go, source: &Path, into: &Path) -> Command {
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
            .current_dir(source);
        command
    }

    fn run(&self, command: &mut Command, log: &Path, job: &Job) -> Result<(), ToolsError> {
        let failed = |last: String| ToolsError::Build {
            group: self.group.name,
            last,
            log: log.to_owned(),
        };
        let mut file = File::create(log).map_err(cache::failed("create", log))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let last = follow(&mut child, &mut file, job);
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if status.success() {
            Ok(())
        } else {
            Err(failed(last))
        }
    }
}

/// Copies what Go says to the log, one package per line while all is well,
/// and returns the last of it.
fn follow(child: &mut Child, log: &mut File, job: &Job) -> String {
    let mut last = "no word why".to_owned();
    let Some(stderr) = child.stderr.take() else {
        return last;
    };
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        // A log that cannot be written is no reason to stop a build.
        let _ = writeln!(log, "{line}");
        job.package(&line);
        if !line.trim().is_empty() {
            last = line;
        }
    }
    last
}
