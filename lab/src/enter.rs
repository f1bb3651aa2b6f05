//! Becoming a program inside a pod, a node or the control plane.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::SigSet;

use crate::cgroup::{self, CgroupError};

/// What [`enter`] joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaces {
    /// `/proc` directory of the process whose namespaces are joined.
    pub process: PathBuf,
    /// Directories of the cgroups that are joined, one per hierarchy.
    pub cgroups: Vec<PathBuf>,
}

/// Why a program did not start in its target.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The process whose namespaces were to be joined has ended.
    #[error("the pod or node ended before the program could enter it")]
    Gone(#[source] io::Error),
    /// The kernel refused a namespace.
    #[error("cannot enter the {kind} namespace; run this as root")]
    Namespace {
        /// Which.
        kind: &'static str,
        /// Why not.
        #[source]
        source: Errno,
    },
    /// The cgroup cannot be entered.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// There is no such program, or it cannot be run.
    #[error("cannot run {program}")]
    Exec {
        /// As given.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl EnterError {
    /// Exit code a shell would give: 127 for a program that is not there, 126
    /// for one that cannot be run, 125 for an earlier failure.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Self::Exec { .. } => 126,
            _ => 125,
        }
    }
}

/// Replaces this process, which must have one thread, by `argv` inside
/// `namespaces`; the caller starts it in their process namespace. Standard input and output,
/// environment and working directory stay. Returns only on failure.
pub fn enter(namespaces: &Namespaces, argv: &[String]) -> EnterError {
    match join(namespaces) {
        Err(error) => error,
        Ok(()) => {
            let Some((program, arguments)) = argv.split_first() else {
                let source = io::Error::from(io::ErrorKind::NotFound);
                return EnterError::Exec {
                    program: String::new(),
                    source,
                };
            };
            let source = Command::new(program).args(arguments).exec();
            EnterError::Exec {
                program: program.clone(),
                source,
            }
        }
    }
}

fn join(namespaces: &Namespaces) -> Result<(), EnterError> {
    let kinds = [
        ("network", "net", CloneFlags::CLONE_NEWNET),
        ("host name", "uts", CloneFlags::CLONE_NEWUTS),
        ("IPC", "ipc", CloneFlags::CLONE_NEWIPC),
        ("cgroup", "cgroup", CloneFlags::CLONE_NEWCGROUP),
        ("mount", "mnt", CloneFlags::CLONE_NEWNS),
    ];
    // All are opened first: after the mount namespace changed, `/proc` shows
    // other processes.
    let open = |kind: &str| File::open(namespaces.process.join("ns").join(kind));
    let mut opened = Vec::new();
    for (kind, file, flag) in kinds {
        opened.push((kind, flag, open(file).map_err(EnterError::Gone)?));
    }
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    for path in &namespaces.cgroups {
        cgroup::join(path)?;
    }
    for (kind, flag, file) in opened {
        setns(file, flag).map_err(|source| EnterError::Namespace { kind, source })?;
    }
    // Entering a mount namespace moves to its root. A directory that only the
    // caller sees is no reason to fail.
    if std::env::set_current_dir(here).is_err() {
        let _ = std::env::set_current_dir(Path::new("/"));
    }
    // The caller blocks signals while it forwards them; that is inherited.
    let _ = SigSet::empty().thread_set_mask();
    Ok(())
}
