//! What an image contains besides its program: what the C library and the TLS stack look for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Users that the images know. The program runs as one of them.
pub(crate) const PASSWD: &str = "\
root:x:0:0:root:/:/sbin/nologin
nonroot:x:65532:65532:nonroot:/:/sbin/nologin
";

/// Groups that the images know.
pub(crate) const GROUP: &str = "\
root:x:0:
nonroot:x:65532:
";

/// `/etc/hosts` before DNS, for the C library. Both are built into it; others would be loaded from files
/// that are not there.
pub(crate) const NSSWITCH: &str = "\
passwd: files
group: files
hosts: files dns
";

/// Mozilla's certificate authorities as a PEM file. podid trusts the store of the operating system; in
/// an image it is this one, of the version that Cargo.lock names.
pub(crate) fn certificate_authorities() -> String {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    roots.iter().map(|root| pem(root.as_ref())).collect()
}

/// RFC 7468: lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let encoded = STANDARD.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_are_a_file_that_our_http_client_reads() {
        let file = certificate_authorities();
        let read = reqwest::Certificate::from_pem_bundle(file.as_bytes()).unwrap();
        assert_eq!(read.len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        assert!(read.len() > 100, "{}", read.len());
        assert!(file.lines().all(|line| line.len() <= 64));
    }
}
