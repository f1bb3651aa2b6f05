use std::sync::Arc;
use std::time::Duration;

/// Why IMDS gave no token. Clones share their sources, so that one answer can be told to all who wait for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImdsError {
    /// It answered with an error.
    #[error("IMDS answered {status} {error}: {description}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its `error` word, such as `invalid_request`; empty if the body had none.
        error: String,
        /// Its `error_description`; empty if the body had none.
        description: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },

    /// It could not be reached.
    #[error("IMDS at {url} cannot be reached; is this an Azure virtual machine?")]
    Unreachable {
        /// Base URL that was tried.
        url: String,
        /// The error of the connection.
        #[source]
        source: Arc<reqwest::Error>,
    },

    /// It did not answer in time.
    #[error("IMDS at {url} did not answer within {timeout:?}")]
    Timeout {
        /// Base URL that was tried.
        url: String,
        /// The time it had.
        timeout: Duration,
    },

    /// It answered 200 with something that is not a token.
    #[error("IMDS answered 200 with a body that is not a token")]
    Malformed(#[source] Arc<serde_json::Error>),

    /// It was not asked: it allows few requests, and those of others came first.
    #[error(
        "IMDS was not asked within {waited:?}: it allows few requests, and those of others came first"
    )]
    NotAsked {
        /// How long the request has waited.
        waited: Duration,
    },

    /// The client could not be made.
    #[error("the IMDS client for {url} cannot be made; give an http:// base URL")]
    Setup {
        /// Base URL that was given.
        url: String,
        /// Why not.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl ImdsError {
    /// Whether asking again can help: a busy or updating service (404, 410, 429, 5xx) or none.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 404 | 408 | 410 | 429 | 500..=599),
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::NotAsked { .. } => true,
            Self::Malformed(_) | Self::Setup { .. } => false,
        }
    }

    /// Whether IMDS does not know the identity on this VM. Just after the identity was
    /// assigned this passes by itself.
    pub fn is_identity_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 400, description, .. }
            if description.contains("Identity not found"))
    }
}
