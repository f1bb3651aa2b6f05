//! What can go wrong with the Go programs.

use std::path::PathBuf;

use super::cache::CacheError;
use super::go::GoError;
use super::space::DiskFull;

/// Why the programs cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// There is no Go.
    #[error(transparent)]
    Go(#[from] GoError),
    /// There is no room for a build.
    #[error("cannot build {what}")]
    Full {
        /// What was built.
        what: String,
        /// Where there is no room.
        #[source]
        disk: DiskFull,
    },
    /// Go did not build a group.
    #[error("building {group} failed: {last}; all of it is in {log}", log = log.display())]
    Build {
        /// The group.
        group: &'static str,
        /// The last line Go wrote.
        last: String,
        /// All that Go wrote.
        log: PathBuf,
    },
    /// Something of the system is missing, and could not be fetched.
    #[error("{needed}: {remedy} ({reason})")]
    System {
        /// What is needed, and for what.
        needed: &'static str,
        /// What to install.
        remedy: &'static str,
        /// Why it could not be had without.
        reason: String,
    },
    /// Two groups have a program of one name, and a toolset has room for one.
    #[error("{first} and {second} both have {program}: ask for one of them at a time")]
    Twice {
        /// The program.
        program: &'static str,
        /// A group that has it.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
    /// A module with definitions cannot be had.
    #[error("cannot get the definitions of {module}: {reason}")]
    Definitions {
        /// The module and its version.
        module: String,
        /// Why not.
        reason: String,
    },
}
