//! Certificates in a file that Java reads. It reads no PEM bundle, and its own
//! `keytool` comes only with a JDK.
//!
//! The format is JKS: every Java reads it without an option for its kind or its
//! password. It is described in the source of `sun.security.provider.JavaKeyStore`.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error, PemObject};

/// First bytes of a file, and the version of its format.
const HEADER: [u8; 8] = [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2];
/// Says that an entry is a certificate that is trusted, without a key.
const TRUSTED: [u8; 4] = [0, 0, 0, 2];
/// Java's own password for a store that holds nothing secret.
const PASSWORD: &str = "changeit";

/// A file that trusts every certificate in `pem`, dated `made`.
pub(super) fn jks(pem: &str, made: Timestamp) -> Result<Vec<u8>, Error> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
    let mut file = HEADER.to_vec();
    file.extend(length(certificates.len()));
    for (index, certificate) in certificates.iter().enumerate() {
        file.extend(TRUSTED);
        text(&mut file, &format!("lab-{index}"));
        file.extend(made.as_millisecond().to_be_bytes());
        text(&mut file, "X.509");
        file.extend(length(certificate.len()));
        file.extend_from_slice(certificate);
    }
    let sum = checksum(&file);
    file.extend(sum);
    Ok(file)
}

fn length(bytes: usize) -> [u8; 4] {
    // No certificate and no bundle of a lab comes near 4 GiB.
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// ASCII, which modified UTF-8 leaves as it is, after its length.
fn text(file: &mut Vec<u8>, text: &str) {
    let [.., high, low] = length(text.len());
    file.extend([high, low]);
    file.extend(text.as_bytes());
}

/// A checksum of the format. It protects against accidents only: the password is public.
fn checksum(file: &[u8]) -> Vec<u8> {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        digest.update(&unit.to_be_bytes());
    }
    digest.update(b"Mighty Aphrodite");
    digest.update(file);
    digest.finish().as_ref().to_vec()
}
