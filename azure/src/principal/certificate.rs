use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::KeyPair;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate with its private key, an RSA one: Entra takes no other. The key cannot be printed, and its memory is
/// wiped when it is dropped.
pub struct ClientCertificate {
    key: KeyPair,
    /// The application's own certificate first.
    chain: Vec<Vec<u8>>,
}

/// Why a certificate cannot be used. Nothing of the key is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no certificate in it.
    #[error("there is no certificate in it; expected BEGIN CERTIFICATE")]
    NoCertificate,
    /// There is no private key in it.
    #[error("there is no private key in it; expected BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY")]
    NoKey,
    /// The key is no RSA key.
    #[error("the private key is not an RSA key of 2048 to 8192 bits, which is what Entra takes")]
    NotRsa,
    /// To open the PKCS#12 file could take more time or memory than the node has.
    #[error(
        "the PKCS#12 file is larger than 32 KiB or encrypted by scrypt; export it with PBES2 and one chain"
    )]
    Costly,
    /// The PKCS#12 file cannot be opened.
    #[error("the PKCS#12 file cannot be opened; is the password right?")]
    Pkcs12,
}

/// Longest PKCS#12 file that is opened; one with a chain of certificates is a few KiB.
const PKCS12_MAX: usize = 32 * 1024;

/// The id of scrypt (1.3.6.1.4.1.11591.4.11) as it is encoded. Its parameters may ask for a GiB of memory, and no
/// program that Azure names writes such files.
const SCRYPT: [u8; 11] = [
    0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b,
];

impl ClientCertificate {
    /// Reads PEM texts, in one of which the certificate is, and in one of which the key.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(certificate)
            .map_while(Result::ok)
            .map(|one| one.to_vec())
            .collect();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err(CertificateError::NotRsa),
        };
        Self::of(key.map_err(|_| CertificateError::NotRsa)?, chain)
    }

    /// Reads a PKCS#12 file, of the new or the old kind of encryption.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_pkcs12(file: &[u8], password: &str) -> Result<Self, CertificateError> {
        let has_scrypt = file.windows(SCRYPT.len()).any(|part| part == SCRYPT);
        if file.len() > PKCS12_MAX || has_scrypt {
            return Err(CertificateError::Costly);
        }
        let store = KeyStore::from_pkcs12(file, password, Pkcs12ImportPolicy::Relaxed);
        let store = store.map_err(|_| CertificateError::Pkcs12)?;
        let (_, found) = store.private_key_chain().ok_or(CertificateError::NoKey)?;
        let key = KeyPair::from_pkcs8(found.key().as_der());
        let chain = found.certs().iter().map(|one| one.as_der().to_vec());
        Self::of(key.map_err(|_| CertificateError::NotRsa)?, chain.collect())
    }

    fn of(key: KeyPair, chain: Vec<Vec<u8>>) -> Result<Self, CertificateError> {
        match chain.is_empty() {
            true => Err(CertificateError::NoCertificate),
            false => Ok(Self { key, chain }),
        }
    }

    pub(super) fn key(&self) -> &KeyPair {
        &self.key
    }

    pub(super) fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(Vec::as_slice)
    }

    /// SHA-256 of the application's own certificate.
    pub(super) fn thumbprint(&self) -> Vec<u8> {
        let own = self.chain.first().map_or(&[][..], Vec::as_slice);
        digest(&SHA256, own).as_ref().to_vec()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_cost_much_is_not_opened() {
        let scrypt = [&[0x30, 0x80][..], &SCRYPT, &[0; 64]].concat();
        for file in [scrypt, vec![0x30; PKCS12_MAX + 1]] {
            let read = ClientCertificate::from_pkcs12(&file, "x");
            assert_eq!(read.map(drop), Err(CertificateError::Costly));
        }
        let broken = ClientCertificate::from_pkcs12(&[0x30; 64], "x");
        assert_eq!(broken.map(drop), Err(CertificateError::Pkcs12));
    }
}
