//! A repository elsewhere: one of its branches is fetched into a bare repository that lives as long as the command,
//! extended by a commit, and pushed. No working tree is touched.

mod client;
mod connection;
mod http;
mod key;
mod location;
mod open;
pub(crate) mod pull_request;
mod service;
mod ssh;
mod tip;

use std::path::PathBuf;

pub(crate) use connection::TransportError;
pub(crate) use key::RepositoryKey;
pub(crate) use location::{LocationError, RepositoryLocation};
pub(crate) use open::{ConnectOptions, RemoteRepository};
pub(crate) use tip::{Push, Tip};

use super::RepositoryError;
use super::sign::SignError;

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error(transparent)]
    Location(#[from] LocationError),
    #[error("{repository} cannot be reached")]
    Transport {
        repository: String,
        source: Box<TransportError>,
    },
    #[error("{repository} cannot be read; is it a git repository?")]
    Unreadable {
        repository: String,
        source: git2::Error,
    },
    #[error(
        "{dir} has no remote to push to; add one with `git remote add origin URL`, or give --repo a URL"
    )]
    NoRemote { dir: PathBuf },
    #[error("{name:?} is not the name of a branch")]
    BranchName { name: String },
    #[error(
        "branch {branch} has no commit in common with {default}, so no pull request could bring it there; give another \
         --branch"
    )]
    Unrelated { branch: String, default: String },
    #[error("{repository} refuses the commit on branch {branch}: {reason}")]
    Refused {
        repository: String,
        branch: String,
        reason: String,
    },
    #[error(
        "{path} in the repository is larger than 1 MiB; podid writes no such file, so give another path"
    )]
    TooLarge { path: PathBuf },
    #[error("{path} in the repository is not UTF-8 text, so podid does not change it")]
    NotText { path: PathBuf },
    #[error(
        "{path} in the repository is {what}, and podid has to write there; give another --cluster-path"
    )]
    InTheWay { path: PathBuf, what: &'static str },
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}
