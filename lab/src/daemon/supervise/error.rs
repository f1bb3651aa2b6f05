//! What can go wrong with a program of the lab.

use std::path::PathBuf;

use crate::options::Target;

/// Why a program cannot be run or reached.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The name is taken.
    #[error("a program called {0} is in the lab already; stop it first")]
    Taken(String),
    /// There is no such program.
    #[error("the lab runs no program called {0}; the command `status` lists them")]
    Unknown(String),
    /// Its target is not running.
    #[error("{0} is not in the lab; the command `status` lists nodes and pods")]
    NotThere(Target),
    /// The log cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The program did not start.
    #[error("cannot start {name} ({program})")]
    Spawn {
        /// Its name in the lab.
        name: String,
        /// What was run.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("{name} failed with {ended}: {last}")]
    Failed {
        /// Its name in the lab.
        name: String,
        /// How it ended.
        ended: String,
        /// The last line that it wrote.
        last: String,
    },
    /// It does not run now.
    #[error("{0} does not run now")]
    NotRunning(String),
    /// The signal was refused.
    #[error("cannot send signal {signal} to {name}")]
    Signal {
        /// Its name in the lab.
        name: String,
        /// Number of the signal.
        signal: i32,
        /// Why not.
        #[source]
        source: nix::errno::Errno,
    },
}
