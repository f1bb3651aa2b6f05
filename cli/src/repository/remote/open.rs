//! Finding a repository, and fetching a branch of it.

use std::path::{Path, PathBuf};

use clap::Args;
use git2::{
    AutotagOption, Config, Direction, FetchOptions, PushOptions, Remote, RemoteCallbacks,
    Repository,
};
use tempfile::TempDir;

use super::connection::{Carrier, Connection};
use super::http::HttpTransport;
use super::ssh::SshTransport;
use super::{LocationError, RemoteError, RepositoryLocation, TransportError};
use crate::repository::RepositoryError;

/// Branch of a repository that has none yet.
const FIRST_BRANCH: &str = "main";

/// Flags about the way to the repository.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectOptions {
    /// Certificates to trust for https, in PEM form [default: http.sslCAInfo, else the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Allow http:// URLs, which protect neither token nor commit
    #[arg(long)]
    pub(crate) allow_insecure_http: bool,
}

/// A repository elsewhere, and a bare one here that has what was fetched.
pub(crate) struct RemoteRepository {
    pub(super) location: RepositoryLocation,
    pub(super) local: Repository,
    /// Git's configuration: the user's, and that of the clone that was named.
    pub(super) config: Config,
    connection: Option<Connection>,
    _folder: TempDir,
}

/// How much of a branch is fetched; the number is git's.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(super) enum Depth {
    /// Its last commit.
    Tip = 1,
    /// Everything.
    Whole = i32::MAX,
}

/// The branches of a repository elsewhere.
pub(super) struct Branches {
    /// Names and commits.
    pub(super) all: Vec<(String, git2::Oid)>,
    /// The one that a clone has checked out.
    pub(super) default: String,
}

impl Branches {
    /// The commit that a branch is at.
    pub(super) fn at(&self, name: &str) -> Option<git2::Oid> {
        let found = self.all.iter().find(|(branch, _)| branch == name);
        found.map(|(_, id)| *id)
    }
}

impl RemoteRepository {
    /// Opens a URL, a bare repository, or the remote of a clone.
    pub(crate) fn open(repo: &str, options: &ConnectOptions) -> Result<Self, RemoteError> {
        let folder = tempfile::tempdir().map_err(|source| RepositoryError::File {
            path: std::env::temp_dir(),
            action: "used for temporary files",
            source,
        })?;
        let local = Repository::init_bare(folder.path())
            .map_err(RepositoryError::git("make a temporary repository"))?;
        let (url, config) = resolve(repo, &local, options.allow_insecure_http)?;
        let location = RepositoryLocation::parse(&url, options.allow_insecure_http)?;
        let connection = connect(&location, &config, options)?;
        Ok(Self {
            location,
            local,
            config,
            connection,
            _folder: folder,
        })
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &RepositoryLocation {
        &self.location
    }

    /// Asks for its branches.
    pub(super) fn branches(&self) -> Result<Branches, RemoteError> {
        let listed = self.remote().and_then(|mut remote| {
            remote.connect(Direction::Fetch)?;
            let heads = remote.list()?.iter();
            let all = heads
                .filter_map(|head| {
                    let name = head.name().strip_prefix("refs/heads/")?;
                    Some((name.to_owned(), head.oid()))
                })
                .collect();
            let default = default_branch(&remote);
            remote.disconnect()?;
            Ok(Branches { all, default })
        });
        listed.map_err(|error| self.failed(error))
    }

    /// Fetches a branch: its last commits, or all of them.
    pub(super) fn fetch(&self, branch: &str, depth: Depth) -> Result<(), RemoteError> {
        let mut options = FetchOptions::new();
        options.download_tags(AutotagOption::None);
        if self.connection.is_some() {
            // libgit2's own transport, for folders, cannot.
            options.depth(depth as i32);
        }
        let refspec = format!("+refs/heads/{branch}:refs/podid/{branch}");
        let fetched = self
            .remote()
            .and_then(|mut remote| remote.fetch(&[refspec], Some(&mut options), None));
        fetched.map_err(|error| self.failed(error))
    }

    /// Pushes `refs/heads/BRANCH`, never by force; what the repository says against it.
    pub(super) fn push_branch(&self, branch: &str) -> Result<Option<String>, RemoteError> {
        let mut refusal = None;
        let name = format!("refs/heads/{branch}");
        let pushed = {
            let mut callbacks = RemoteCallbacks::new();
            callbacks.push_update_reference(|_, status| {
                refusal = status.map(str::to_owned);
                Ok(())
            });
            let mut options = PushOptions::new();
            options.remote_callbacks(callbacks);
            self.remote()
                .and_then(|mut remote| remote.push(&[format!("{name}:{name}")], Some(&mut options)))
        };
        match pushed {
            Ok(()) => Ok(refusal),
            Err(error) if error.code() == git2::ErrorCode::NotFastForward => {
                Ok(Some(error.message().to_owned()))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn remote(&self) -> Result<Remote<'_>, git2::Error> {
        match (&self.connection, &self.location) {
            (Some(connection), _) => self.local.remote_anonymous(&connection.url()),
            (None, location) => self.local.remote_anonymous(&location.to_string()),
        }
    }

    fn failed(&self, source: git2::Error) -> RemoteError {
        let repository = self.location.to_string();
        let below = self.connection.as_ref().and_then(Connection::take_error);
        match below {
            Some(source) => RemoteError::Transport {
                repository,
                source: Box::new(source),
            },
            None => RemoteError::Unreadable { repository, source },
        }
    }
}

fn default_branch(remote: &Remote<'_>) -> String {
    let name = remote.default_branch().ok();
    let name = name.as_ref().and_then(|name| name.as_str().ok());
    name.and_then(|name| name.strip_prefix("refs/heads/"))
        .unwrap_or(FIRST_BRANCH)
        .to_owned()
}

fn connect(
    location: &RepositoryLocation,
    config: &Config,
    options: &ConnectOptions,
) -> Result<Option<Connection>, RemoteError> {
    let failed = |source: TransportError| RemoteError::Transport {
        repository: location.to_string(),
        source: Box::new(source),
    };
    let carrier = match location {
        RepositoryLocation::Folder(_) => return Ok(None),
        RepositoryLocation::Http(http) => {
            let transport = HttpTransport::new(http.clone(), config, options.ca_file.as_ref());
            Carrier::Http(transport.map_err(|error| failed(error.into()))?)
        }
        RepositoryLocation::Ssh(ssh) => Carrier::Ssh(SshTransport::new(ssh.clone(), config)),
    };
    let connection = Connection::new(carrier).map_err(RepositoryError::git("take a transport"))?;
    Ok(Some(connection))
}

/// The URL that `repo` stands for, and the configuration that goes with it.
fn resolve(
    repo: &str,
    local: &Repository,
    allow_insecure_http: bool,
) -> Result<(String, Config), RemoteError> {
    let dir = match RepositoryLocation::parse(repo, allow_insecure_http) {
        Ok(RepositoryLocation::Folder(dir)) => dir,
        Ok(_) | Err(LocationError::Insecure) => {
            let config =
                Config::open_default().map_err(RepositoryError::git("read its settings"))?;
            // Applies url.….insteadOf.
            let remote = local.remote_anonymous(repo);
            let url = remote.and_then(|remote| Ok(remote.url()?.to_owned()));
            return Ok((url.map_err(RepositoryError::git("read the URL"))?, config));
        }
        Err(error) => return Err(error.into()),
    };
    let repository = RepositoryError::discover(&dir)?;
    let config = repository
        .config()
        .and_then(|mut config| config.snapshot())
        .map_err(RepositoryError::git("read its settings"))?;
    if repository.is_bare() {
        return Ok((repository.path().display().to_string(), config));
    }
    let url = remote_url(&repository).ok_or(RemoteError::NoRemote { dir })?;
    Ok((url, config))
}

/// URL of the remote that the branch of a clone follows, else of `origin`.
fn remote_url(clone: &Repository) -> Option<String> {
    let head = clone.find_reference("HEAD").ok();
    let head = head.as_ref().and_then(|head| head.symbolic_target().ok()?);
    let followed = head
        .and_then(|branch| clone.branch_upstream_remote(branch).ok())
        .and_then(|name| name.as_str().ok().map(str::to_owned));
    let name = followed.unwrap_or_else(|| "origin".to_owned());
    let remote = clone.find_remote(&name).ok()?;
    let url = remote.url().ok()?;
    let is_relative = matches!(
        RepositoryLocation::parse(url, true),
        Ok(RepositoryLocation::Folder(path)) if path.is_relative()
    );
    match clone.workdir() {
        // Git reads it from the root of the clone.
        Some(root) if is_relative => Some(root.join(Path::new(url)).display().to_string()),
        _ => Some(url.to_owned()),
    }
}
