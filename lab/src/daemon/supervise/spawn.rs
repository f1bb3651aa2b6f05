//! Starting one program of the lab.

use std::fs::{File, OpenOptions};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::error::SuperviseError;
use super::program::Program;
use crate::options::Target;
use crate::state::StateDir;
use crate::targets::Targets;

/// What is needed to start programs.
#[derive(Clone)]
pub(super) struct Spawner {
    pub(super) targets: Targets,
    pub(super) dir: StateDir,
}

impl Spawner {
    /// Starts `program`; all it writes is appended to its log.
    pub(super) fn spawn(&self, program: &Program) -> Result<Child, SuperviseError> {
        let log = self.open_log(&program.name)?;
        let same_log = log.try_clone().map_err(|source| SuperviseError::Log {
            path: self.dir.log(&program.name),
            source,
        })?;
        self.command(program)?
            .env_clear()
            .envs(&program.env)
            .current_dir(&program.cwd)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(same_log)
            .spawn()
            .map_err(|source| SuperviseError::Spawn {
                name: program.name.clone(),
                program: program.argv.first().cloned().unwrap_or_default(),
                source,
            })
    }

    fn command(&self, program: &Program) -> Result<Command, SuperviseError> {
        if program.target == Target::ControlPlane {
            let mut command = Command::new(program.argv.first().map_or("", String::as_str));
            command.args(program.argv.iter().skip(1));
            return Ok(command);
        }
        let running = self
            .targets
            .get(&program.target)
            .ok_or_else(|| SuperviseError::NotThere(program.target.clone()))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg("enter")
            .arg("--process")
            .arg(format!("/proc/{}", running.pid))
            .arg("--cgroup")
            .arg(&running.cgroup)
            .arg("--")
            .args(&program.argv);
        Ok(command)
    }

    fn open_log(&self, name: &str) -> Result<File, SuperviseError> {
        let path = self.dir.log(name);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| SuperviseError::Log { path, source })
    }
}
