use std::sync::Arc;
use std::time::Duration;

use crate::TransportError;

/// Why Entra gave no token. Clones share their sources, so that one answer can be told to all who wait for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrincipalError {
    /// It answered with an error.
    #[error("Entra answered {status} {error}: {description}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its `error` word, such as `invalid_client`; empty if the body had none.
        error: String,
        /// Its `error_description`, which begins with `AADSTS` and a number; empty if the body had none.
        description: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// It could not be reached, or did not answer in time.
    #[error("{authority} cannot be reached, or does not answer in time")]
    NoAnswer {
        /// Base URL that was tried.
        authority: String,
        /// The error of the connection.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// It answered 200 with something that is not a token.
    #[error("{authority} answered 200 with a body that is not a token")]
    Malformed {
        /// Base URL that was asked.
        authority: String,
        /// Why it is none.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// The HTTP client cannot be made.
    #[error("the client of Entra cannot be made")]
    Setup(#[source] Arc<TransportError>),
    /// The private key cannot sign.
    #[error("the private key of the certificate cannot sign")]
    Signing,
}
