//! Tokens of service principals, from Entra.

mod assertion;
mod certificate;
mod client;
mod error;

use std::fmt;

use async_trait::async_trait;

pub use certificate::{CertificateError, ClientCertificate};
pub use client::Principals;
pub use error::PrincipalError;

use crate::{ImdsToken, Secret};

/// What a service principal proves itself by.
#[derive(Debug)]
pub enum PrincipalCredential {
    /// A password, which Entra calls client secret.
    Password(Secret),
    /// A certificate with its private key.
    Certificate(ClientCertificate),
}

/// A request for a token of a service principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalTokenRequest {
    /// Base URL of Entra, `https://host[:port]`, without a slash at its end.
    pub authority: String,
    /// Tenant that issues the token. It becomes a segment of the path as it is.
    pub tenant: String,
    /// Client (application) id.
    pub client_id: String,
    /// Audience of the token, passed on exactly as the caller wrote it.
    pub resource: String,
}

/// Tokens of service principals.
///
/// **Guarantees.** One request per call: nothing is kept and nothing is tried again. The credential is sent to the
/// authority of the request and to nobody else: never over anything but TLS, and no redirect is followed.
///
/// **Errors.** [`PrincipalError`], in which nothing of the credential is.
#[async_trait]
pub trait PrincipalTokens: Send + Sync + fmt::Debug {
    /// Asks for a token. It has the form of the metadata service's, which callers pass on.
    async fn token(
        &self,
        request: &PrincipalTokenRequest,
        credential: &PrincipalCredential,
    ) -> Result<ImdsToken, PrincipalError>;
}
