//! All that a container is started with.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use k8s_openapi::api::core::v1::Container;
use tokio::process::{Child, Command};

use super::environment::{self, PodFacts, expand};
use super::error::ContainerStartError;
use super::security;
use super::volumes::Volumes;
use crate::container::ContainerProcess;

/// Where programs are looked for, if the manifest does not say.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A container, ready to be started as often as need be.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) container: Container,
    /// Address of its pod.
    pub(super) address: String,
    /// Cgroup in which its probes run.
    pub(super) node_cgroup: PathBuf,
    pub(super) process: ContainerProcess,
    pub(super) env: BTreeMap<String, String>,
    /// What it writes is appended here.
    pub(super) log: PathBuf,
}

/// Where a pod is on its node.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its `pause`.
    pub(super) pause: u32,
    pub(super) sandbox_cgroup: PathBuf,
    /// Variables by which programs find the API server.
    pub(super) api_server: BTreeMap<String, String>,
}

impl Launch {
    /// Of a container that runs `program`, a program of this machine.
    pub(super) fn of(
        container: &Container,
        program: &Path,
        cgroup: &Path,
        facts: &PodFacts<'_>,
        place: &Place,
        volumes: &Volumes,
        log: PathBuf,
    ) -> Result<Self, ContainerStartError> {
        let mut env = place.api_server.clone();
        env.insert("PATH".to_owned(), SEARCH_PATH.to_owned());
        env.insert("HOSTNAME".to_owned(), facts.field("metadata.name")?);
        env.extend(environment::of(container, facts)?);
        let security = security::of(facts.pod, container);
        let name = program.file_name().unwrap_or_default();
        let path = Path::new("/").join(name);
        let process = ContainerProcess {
            pause: place.pause,
            cgroup: cgroup.to_owned(),
            program: program.to_owned(),
            argv: argv(container, &path, &env),
            path,
            root: volumes.root(),
            mounts: volumes.mounts(container, facts)?,
            user: security.user,
            group: security.group,
            capabilities: security.capabilities,
            no_new_privileges: security.no_new_privileges,
            read_only_root: security.read_only_root,
        };
        Ok(Self {
            container: container.clone(),
            address: facts.address.clone(),
            node_cgroup: place.sandbox_cgroup.clone(),
            process,
            env,
            log,
        })
    }

    /// Starts it.
    pub(super) fn start(&self) -> Result<Child, ContainerStartError> {
        let log = self.open_log()?;
        let same = log.try_clone().map_err(self.unwritable())?;
        let mut command = self.command(self.process.argv.clone())?;
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(same)
            .kill_on_drop(true);
        command.spawn().map_err(ContainerStartError::Spawn)
    }

    /// A command that runs `argv` as this container does.
    pub(super) fn command(&self, argv: Vec<String>) -> Result<Command, ContainerStartError> {
        let spec = ContainerProcess {
            argv,
            ..self.process.clone()
        };
        let text = serde_json::to_string(&spec)
            .map_err(|error| ContainerStartError::Spawn(error.into()))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("podid-lab")
            .args(["container", &text])
            .env_clear()
            .envs(&self.env);
        Ok(command)
    }

    fn open_log(&self) -> Result<File, ContainerStartError> {
        let opened = OpenOptions::new().create(true).append(true).open(&self.log);
        opened.map_err(self.unwritable())
    }

    fn unwritable(&self) -> impl FnOnce(std::io::Error) -> ContainerStartError {
        let path = self.log.clone();
        move |source| ContainerStartError::Write { path, source }
    }
}

/// The image's own program at `path`, unless the manifest names another; then the arguments.
fn argv(container: &Container, path: &Path, env: &BTreeMap<String, String>) -> Vec<String> {
    let command = container.command.clone();
    let command = command.unwrap_or_else(|| vec![path.to_string_lossy().into_owned()]);
    let arguments = container.args.clone().unwrap_or_default();
    let words = command.into_iter().chain(arguments);
    words.map(|word| expand(&word, env)).collect()
}
