use std::{path::PathBuf, time::Duration};

use reqwest::redirect::Policy;

/// How the HTTP client is made.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// A PEM file of certificate authorities to trust **besides** those of the operating system.
    pub extra_ca_file: Option<PathBuf>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest time for one try, from the connection to the last byte.
    pub request_timeout: Duration,
}

/// The one HTTP client of this crate: rustls, the trust store of the operating system, no
/// redirects. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
    #[cfg(feature = "arm")]
    options: TransportOptions,
}

/// The HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The file of extra certificate authorities cannot be read.
    #[error("the CA file {path} cannot be read")]
    ReadCa {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file of extra certificate authorities holds no certificate.
    #[error("the CA file {path} holds no PEM certificate; expected BEGIN CERTIFICATE blocks")]
    BadCa {
        /// The file.
        path: PathBuf,
        /// Where reading it stopped.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The client cannot start, for instance because the trust store cannot be read.
    #[error("the HTTP client cannot be made")]
    Build(#[from] reqwest::Error),
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            extra_ca_file: None,
            connect_timeout: Duration::from_secs(10),
            // ARM answers within seconds, but its own deadline is 60 s: give up after that, so
            // that a late answer is not mistaken for none.
            request_timeout: Duration::from_secs(65),
        }
    }
}

impl Transport {
    /// Makes the client.
    ///
    /// # Errors
    /// If the CA file cannot be used or the trust store cannot be read.
    pub fn new(options: &TransportOptions) -> Result<Self, TransportError> {
        Ok(Self {
            client: builder(options)?.build()?,
            #[cfg(feature = "arm")]
            options: options.clone(),
        })
    }

    /// The same, never through a proxy.
    #[cfg(feature = "arm")]
    pub(crate) fn without_proxy(&self) -> Result<Self, TransportError> {
        let client = builder(&self.options)?.no_proxy().build()?;
        Ok(Self {
            client,
            options: self.options.clone(),
        })
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

fn builder(options: &TransportOptions) -> Result<reqwest::ClientBuilder, TransportError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("podid/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .timeout(options.request_timeout)
        // A redirect would carry the bearer token along. ARM and Entra use none.
        .redirect(Policy::none())
        .tls_certs_merge(extra_certificates(options)?);
    Ok(builder)
}

fn extra_certificates(
    options: &TransportOptions,
) -> Result<Vec<reqwest::Certificate>, TransportError> {
    let Some(path) = &options.extra_ca_file else {
        return Ok(Vec::new());
    };
    let pem = std::fs::read(path).map_err(|source| TransportError::ReadCa {
        path: path.clone(),
        source,
    })?;
    let bad = |source| TransportError::BadCa {
        path: path.clone(),
        source,
    };
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|source| bad(Some(source)))?;
    if certificates.is_empty() {
        Err(bad(None))
    } else {
        Ok(certificates)
    }
}
