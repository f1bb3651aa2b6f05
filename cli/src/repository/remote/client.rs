//! The HTTP client, set up as git's configuration says.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Proxy};
use url::Url;

/// How long one request may take; the first fetch of a large repository is the longest.
const REQUEST_LIMIT: Duration = Duration::from_secs(900);
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Redirections in a row.
const MAX_REDIRECTIONS: usize = 5;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("cannot read the certificates in {path} (--ca-file or http.sslCAInfo)")]
    ReadCa {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} (--ca-file or http.sslCAInfo) holds no certificate in PEM form")]
    NoCa { path: PathBuf },
    #[error("{path} (--ca-file or http.sslCAInfo) holds what is no certificate in PEM form")]
    BadCa {
        path: PathBuf,
        source: reqwest::Error,
    },
    #[error("http.proxy of git's configuration is no proxy")]
    Proxy(#[source] reqwest::Error),
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// A client for the repository at `url`.
pub(super) fn client(
    url: &Url,
    config: &git2::Config,
    ca_file: Option<&PathBuf>,
) -> Result<Client, ClientError> {
    let mut builder = Client::builder()
        // Servers tell git from browsers by this.
        .user_agent(concat!("git/2.0 (podid ", env!("CARGO_PKG_VERSION"), ")"))
        .connect_timeout(CONNECT_LIMIT)
        .timeout(REQUEST_LIMIT)
        .redirect(redirections(url));
    let configured = || config.get_path("http.sslCAInfo").ok();
    if let Some(path) = ca_file.cloned().or_else(configured) {
        builder = with_ca(builder, path)?;
    }
    if let Ok(proxy) = config.get_string("http.proxy")
        && !proxy.is_empty()
    {
        builder = builder.proxy(Proxy::all(&proxy).map_err(ClientError::Proxy)?);
    }
    builder.build().map_err(ClientError::Client)
}

/// As for git, these certificates are trusted in the place of the system's.
fn with_ca(builder: ClientBuilder, path: PathBuf) -> Result<ClientBuilder, ClientError> {
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(source) => return Err(ClientError::ReadCa { path, source }),
    };
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if certificates.is_empty() => Err(ClientError::NoCa { path }),
        Ok(certificates) => Ok(builder.tls_certs_only(certificates)),
        Err(source) => Err(ClientError::BadCa { path, source }),
    }
}

/// Followed on the same host only, and never from https to http: elsewhere nobody has asked to send a commit.
fn redirections(url: &Url) -> Policy {
    let (scheme, host) = (url.scheme().to_owned(), url.host_str().map(str::to_owned));
    Policy::custom(move |attempt: Attempt<'_>| {
        let next = attempt.url();
        let is_same = next.host_str() == host.as_deref()
            && (next.scheme() == "https" || next.scheme() == scheme);
        if is_same && attempt.previous().len() <= MAX_REDIRECTIONS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}
