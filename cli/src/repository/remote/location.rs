//! Where a repository is: what git takes as a URL, without anything secret when it is shown.

use std::fmt;
use std::path::PathBuf;

use podid_azure::Secret;
use url::{Host, Url};

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RepositoryLocation {
    /// A bare repository on this machine.
    Folder(PathBuf),
    /// A repository behind git's smart HTTP protocol.
    Http(HttpLocation),
    /// A repository behind a login.
    Ssh(SshLocation),
}

/// The parts of a URL `https://user:password@host/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpLocation {
    /// Without user and password.
    pub(super) url: Url,
    /// Some hosts take a token in its place.
    pub(super) user: Option<Secret>,
    pub(super) password: Option<Secret>,
}

/// The parts of `ssh://user@host:port/path` or `user@host:path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshLocation {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// As it is given to the program there.
    pub(super) path: String,
}

/// Why a text is not the location of a repository. Never holds the text: it may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum LocationError {
    #[error("the repository's URL cannot be read: {0}")]
    Syntax(url::ParseError),
    #[error("podid does not push to {0}:// URLs; use https:// or ssh://")]
    Scheme(String),
    #[error(
        "http:// sends tokens and commits unprotected; use https://, or --allow-insecure-http on a network you trust"
    )]
    Insecure,
    #[error("the repository's URL names no host, or one that begins with '-'")]
    Host,
    #[error("the repository's URL names no path, or one that begins with '-'")]
    Path,
}

impl RepositoryLocation {
    /// Reads a URL as git does; what has no scheme and is not `host:path` is a folder.
    pub(crate) fn parse(text: &str, allow_insecure_http: bool) -> Result<Self, LocationError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return match scp_like(text) {
                // NAME::ADDRESS starts the program git-remote-NAME.
                Some((helper, path)) if path.starts_with(':') => {
                    Err(LocationError::Scheme(helper.to_owned()))
                }
                Some((login, path)) => ssh(login, None, path),
                None => Ok(Self::Folder(text.into())),
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Ok(Self::Folder(rest.into())),
            "https" => http(text),
            "http" if allow_insecure_http || is_loopback(text) => http(text),
            "http" => Err(LocationError::Insecure),
            "ssh" | "git+ssh" | "ssh+git" => ssh_url(rest),
            other => Err(LocationError::Scheme(other.to_owned())),
        }
    }
}

impl RepositoryLocation {
    /// Whether the URL held a password, or a user that may be a token.
    pub(crate) fn has_credentials(&self) -> bool {
        matches!(self, Self::Http(http) if http.user.is_some() || http.password.is_some())
    }
}

impl fmt::Display for RepositoryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Http(http) => write!(f, "{}", http.url),
            Self::Ssh(ssh) => {
                let port = ssh.port.map_or_else(String::new, |port| format!(":{port}"));
                let slash = if ssh.path.starts_with('/') { "" } else { "/" };
                let path = &ssh.path;
                write!(f, "ssh://{}{port}{slash}{path}", ssh.login())
            }
        }
    }
}

impl SshLocation {
    /// What ssh is asked to log in to.
    pub(super) fn login(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.host),
            None => self.host.clone(),
        }
    }
}

/// `host:path` with no slash before the colon, as git reads it.
fn scp_like(text: &str) -> Option<(&str, &str)> {
    let (login, path) = text.split_once(':')?;
    (!login.is_empty() && !login.contains('/')).then_some((login, path))
}

fn is_loopback(text: &str) -> bool {
    match Url::parse(text).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn http(text: &str) -> Result<RepositoryLocation, LocationError> {
    let mut url = Url::parse(text).map_err(LocationError::Syntax)?;
    let decoded = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
    let user = user.map(Secret::new);
    let password = url.password().map(decoded).map(Secret::new);
    // Cannot fail: a URL with a host may have both.
    let _infallible = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    Ok(RepositoryLocation::Http(HttpLocation {
        url,
        user,
        password,
    }))
}

/// What follows `ssh://`. Not read as a URL: git takes paths there that a URL could not have.
fn ssh_url(rest: &str) -> Result<RepositoryLocation, LocationError> {
    let (authority, path) = rest.split_once('/').ok_or(LocationError::Path)?;
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let (login, port) = match authority[host_at..].rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => {
            let login = &authority[..authority.len() - port.len() - 1];
            (login, Some(port.parse().map_err(|_| LocationError::Host)?))
        }
        _ => (authority, None),
    };
    let path = if path.starts_with('~') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    ssh(login, port, &path)
}

fn ssh(login: &str, port: Option<u16>, path: &str) -> Result<RepositoryLocation, LocationError> {
    let (user, host) = match login.rsplit_once('@') {
        // A password in front of the host: ssh takes none.
        Some((user, host)) => (user.split(':').next().map(str::to_owned), host),
        None => (None, login),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // ssh and the program behind it would take them as options.
    let is_option = |text: &str| text.is_empty() || text.starts_with('-');
    if is_option(host) || user.as_deref().is_some_and(is_option) {
        return Err(LocationError::Host);
    }
    if is_option(path) {
        return Err(LocationError::Path);
    }
    Ok(RepositoryLocation::Ssh(SshLocation {
        user,
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_git_takes_is_read_and_shown_without_secrets() {
        for (text, shown) in [
            ("https://example.com/a/b.git", "https://example.com/a/b.git"),
            (
                "https://u:p%40ss@example.com:8443/a",
                "https://example.com:8443/a",
            ),
            ("https://token@example.com/a?x#y", "https://example.com/a"),
            ("http://127.0.0.1:3000/a", "http://127.0.0.1:3000/a"),
            ("http://[::1]/a", "http://[::1]/a"),
            ("git@example.com:a/b.git", "ssh://git@example.com/a/b.git"),
            (
                "ssh://git@example.com:2222/a",
                "ssh://git@example.com:2222/a",
            ),
            ("ssh://git:secret@example.com/a", "ssh://git@example.com/a"),
            ("ssh://[::1]:22/~/a", "ssh://::1:22/~/a"),
            ("file:///srv/a.git", "/srv/a.git"),
            ("./a:b", "./a:b"),
            ("/srv/a.git", "/srv/a.git"),
        ] {
            let location = RepositoryLocation::parse(text, false).unwrap();
            assert_eq!(location.to_string(), shown, "{text}");
            let debug = format!("{location:?}");
            let words = ["p@ss", "secret", "token"];
            assert!(!words.iter().any(|word| debug.contains(word)), "{debug}");
        }
    }

    #[test]
    fn the_password_of_a_url_is_kept_apart() {
        let location = RepositoryLocation::parse("https://u:p%40ss@example.com/a", false);
        let Ok(RepositoryLocation::Http(http)) = location else {
            panic!("{location:?}");
        };
        assert_eq!(http.user.unwrap().expose(), "u");
        assert_eq!(http.password.unwrap().expose(), "p@ss");
    }

    #[test]
    fn what_is_unsafe_or_no_location_is_refused() {
        let insecure = "http://example.com/a";
        assert_eq!(
            RepositoryLocation::parse(insecure, false),
            Err(LocationError::Insecure)
        );
        assert!(RepositoryLocation::parse(insecure, true).is_ok());
        for text in [
            "git://example.com/a",
            "ext::sh -c x://y",
            "https://",
            "ssh://-oProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "ssh://host",
            "ssh://host:port/a",
            "host:-a",
            "host:",
            "-u@host:a",
        ] {
            let read = RepositoryLocation::parse(text, true);
            assert!(read.is_err(), "{text}: {read:?}");
        }
    }
}
