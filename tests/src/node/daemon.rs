//! The daemon under test, as its own process in the node's network namespace.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_lab::net::in_namespace;

use super::api::ApiServer;
use super::test_node::{NODE, TestNode};
use super::wait_until;
use crate::programs::resident_kib;

/// Name of its admin socket, in its folder.
const ADMIN_SOCKET: &str = "admin.sock";

/// A running `podid-nmi`. Dropping it kills it; its log is shown when a test fails.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    namespace: PathBuf,
    log: PathBuf,
    folder: tempfile::TempDir,
}

impl Daemon {
    /// Starts the program and returns at once.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(
        program: &Path,
        test_node: &TestNode,
        api: &ApiServer,
        flags: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (kubeconfig, log) = (folder.path().join("kubeconfig"), folder.path().join("log"));
        api.write_kubeconfig(&kubeconfig)?;
        let output = File::create(&log)?;
        let process = in_namespace(test_node.namespace(), || {
            Command::new(program)
                .args(["--node-name", NODE, "--kubeconfig"])
                .arg(&kubeconfig)
                .arg("--admin-socket")
                .arg(folder.path().join(ADMIN_SOCKET))
                .args(flags)
                .env_remove("NO_PROXY")
                .stdin(Stdio::null())
                .stderr(output)
                .spawn()
        })??;
        let namespace = test_node.namespace().to_owned();
        Ok(Self {
            process,
            namespace,
            log,
            folder,
        })
    }

    /// Starts the program and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started.
    ///
    /// # Panics
    /// When it is not ready in time.
    pub fn start(
        program: &Path,
        test_node: &TestNode,
        api: &ApiServer,
        flags: &[&str],
    ) -> Result<Self> {
        let daemon = Self::spawn(program, test_node, api, flags)?;
        wait_until("the daemon is ready", || daemon.is_ready());
        Ok(daemon)
    }

    /// What `/readyz` of this very daemon says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.page("readyz").is_some_and(|text| text == "ready\n")
    }

    /// Fetches an admin page of this very daemon, by its socket.
    fn page(&self, name: &str) -> Option<String> {
        let output = Command::new("curl")
            .args(["-s", "-m", "5", "--unix-socket"])
            .arg(self.folder.path().join(ADMIN_SOCKET))
            .arg(format!("http://localhost/{name}"))
            .output();
        let text = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
        Some(text)
    }

    /// `podid-nmi probe`, as a kubelet runs it.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn probe(&self, program: &Path) -> Result<Output> {
        let mut command = Command::new(program);
        command.arg("probe").arg("--admin-socket");
        let output = command.arg(self.folder.path().join(ADMIN_SOCKET)).output();
        Ok(output?)
    }

    /// `podid-nmi status`, as a person on the node runs it.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn status(&self, program: &Path, flags: &[&str]) -> Result<Output> {
        let mut command = Command::new(program);
        command.arg("status").args(flags).arg("--admin-socket");
        let output = command.arg(self.folder.path().join(ADMIN_SOCKET)).output();
        Ok(output?)
    }

    /// Fetches an admin page from an address of the node.
    #[must_use]
    pub fn get(&self, url: &str) -> Option<String> {
        let output = in_namespace(&self.namespace, || {
            Command::new("curl").args(["-s", "-m", "5", url]).output()
        });
        output
            .ok()?
            .ok()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// All it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal and waits until the process has ended.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        kill(Pid::from_raw(i32::try_from(self.process.id())?), signal)?;
        Ok(self.process.wait()?)
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.process.wait()?)
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The memory it uses, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> Result<usize> {
        Ok(usize::try_from(resident_kib(self.pid())?)? * 1024)
    }

    /// One of its numbers.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<usize> {
        let metrics = self.page("metrics")?;
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value?.parse().ok()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
        if std::thread::panicking() {
            #[allow(clippy::print_stderr)]
            {
                eprintln!("--- log of podid-nmi\n{}---", self.log());
            }
        }
    }
}
