//! The simulator's certificate authority and its server certificate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

use crate::host_names::{ARM_HOST, BLOB_SUFFIX, ENTRA_HOSTS, VAULT_SUFFIX};

/// Names of a loopback listener.
const LOOPBACK_NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// Certificates are valid from a day before they are made, for clients whose clock is behind.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// A certificate authority, as PEM.
#[derive(Clone)]
pub struct CertificateAuthority {
    /// The certificate clients must trust.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: String,
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("cert_pem", &self.cert_pem)
            .finish_non_exhaustive()
    }
}

/// A certificate that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Making or signing it failed: an extra name is no valid DNS name or address, or the given
    /// authority is no certificate with its key.
    #[error("cannot make the certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses what was made.
    #[error("cannot set up TLS")]
    Config(#[from] rustls::Error),
}

impl CertificateAuthority {
    /// A new authority, valid for `lifetime` from now.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the operating system provides no random numbers.
    pub fn generate(lifetime: Duration) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = params(Vec::new(), "azure-sim certificate authority", lifetime)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let cert = params.self_signed(&key)?;
        Ok(Self {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// A server configuration whose certificate is valid for Azure's names, for loopback, and for
    /// `extra` names and addresses.
    pub(crate) fn server_config(
        &self,
        extra: &[String],
        lifetime: Duration,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let issuer = Issuer::from_ca_cert_pem(&self.cert_pem, KeyPair::from_pem(&self.key_pem)?)?;
        let mut names = azure_names();
        names.extend(LOOPBACK_NAMES.iter().map(|n| (*n).to_owned()));
        names.extend_from_slice(extra);
        let key = KeyPair::generate()?;
        let mut params = params(names, "azure-sim", lifetime)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let cert: CertificateDer<'static> = params.signed_by(&key, &issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        // The provider is given here, not taken from the process's default, so that a user of this
        // library need not install one.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)?;
        Ok(Arc::new(config))
    }
}

/// Azure's host names, with wildcards for vaults and accounts.
fn azure_names() -> Vec<String> {
    let mut names = vec![ARM_HOST.to_owned()];
    names.extend(ENTRA_HOSTS.iter().map(|n| (*n).to_owned()));
    names.extend([VAULT_SUFFIX, BLOB_SUFFIX].map(|suffix| format!("*{suffix}")));
    names
}

fn params(
    names: Vec<String>,
    subject: &str,
    lifetime: Duration,
) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, subject);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + lifetime;
    Ok(params)
}
