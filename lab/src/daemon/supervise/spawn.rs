//! Starting one program of the lab.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sched::{CloneFlags, setns};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

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
        let (mut command, processes) = self.command(program)?;
        command
            .env_clear()
            .envs(&program.env)
            .current_dir(&program.cwd)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(same_log);
        let spawned = match processes {
            None => command.spawn(),
            Some(namespace) => spawn_among(&namespace, &mut command),
        };
        spawned.map_err(|source| SuperviseError::Spawn {
            name: program.name.clone(),
            program: program.argv.first().cloned().unwrap_or_default(),
            source,
        })
    }

    /// The command, and the process namespace in which it is to be started.
    fn command(&self, program: &Program) -> Result<(Command, Option<PathBuf>), SuperviseError> {
        if program.target == Target::ControlPlane {
            let mut command = Command::new(program.argv.first().map_or("", String::as_str));
            command.args(program.argv.iter().skip(1));
            return Ok((command, None));
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
            .args(running.cgroup_flags())
            .arg("--")
            .args(&program.argv);
        let processes = PathBuf::from(format!("/proc/{}/ns/pid", running.pid));
        Ok((command, Some(processes)))
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

/// Starts `command` as a child of this process in another process namespace. Entering one
/// concerns the calling thread, and no other thread may be started by it after: hence on one
/// of its own.
fn spawn_among(namespace: &Path, command: &mut Command) -> std::io::Result<Child> {
    let namespace = File::open(namespace)?;
    let runtime = Handle::current();
    std::thread::scope(|scope| {
        let spawning = std::thread::Builder::new().spawn_scoped(scope, || {
            let _in_runtime = runtime.enter();
            setns(namespace, CloneFlags::CLONE_NEWPID)?;
            command.spawn()
        })?;
        let panicked = |_| std::io::Error::other("the thread that starts it panicked");
        spawning.join().map_err(panicked)?
    })
}
