//! A token on its way to a pod.

use std::sync::Arc;

use podid_azure::ImdsToken;

/// Where an issued token was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenOrigin {
    /// Its source gave it for this request.
    Source,
    /// It was kept from an earlier answer of its source.
    Cache,
}

/// A token, and what is said about its end.
#[derive(Clone, Debug)]
pub(crate) struct IssuedToken {
    /// As the source gave it.
    pub(crate) token: Arc<ImdsToken>,
    /// Seconds left when it is handed over.
    pub(crate) expires_in: u64,
    /// The same for outages of Entra; `None` when the source did not say.
    pub(crate) ext_expires_in: Option<u64>,
    pub(crate) origin: TokenOrigin,
}

impl IssuedToken {
    /// A token that its source gave just now; it says what the source says.
    pub(crate) fn fresh(token: ImdsToken) -> Self {
        Self {
            expires_in: token.expires_in,
            ext_expires_in: token.ext_expires_in,
            token: Arc::new(token),
            origin: TokenOrigin::Source,
        }
    }
}
