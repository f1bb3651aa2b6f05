//! What the values of a Secret are: a password, or a certificate in one of the forms that people have.

use podid_azure::{ClientCertificate, PrincipalCredential, Secret};
use podid_core::service_principal::CredentialKind;

use crate::token::secrets::SecretValues;

/// The key that is meant where a Secret has several.
const PASSWORD_KEY: &str = "clientSecret";
/// How a PEM text begins.
const PEM: &[u8] = b"-----BEGIN";

/// Reads a credential.
///
/// # Errors
/// What is wrong with it, in words in which nothing of the values is.
pub(super) fn read(
    kind: CredentialKind,
    values: &SecretValues,
) -> Result<PrincipalCredential, String> {
    match kind {
        CredentialKind::Password => password(values).map(PrincipalCredential::Password),
        CredentialKind::Certificate => certificate(values).map(PrincipalCredential::Certificate),
    }
}

fn password(values: &SecretValues) -> Result<Secret, String> {
    let value = values.get(PASSWORD_KEY).or_else(|| values.only());
    let value = value.ok_or_else(|| {
        let keys = values.keys();
        format!("its keys are {keys}; the password must be in clientSecret, or in the only key")
    })?;
    let text = std::str::from_utf8(value).map_err(|_| "its password is not text".to_owned())?;
    // `kubectl create secret --from-file` keeps the line break of a file; no password of Entra's ends with one.
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("its password is empty".to_owned()),
        text => Ok(Secret::new(text)),
    }
}

/// Keys `tls.crt` and `tls.key`, as `kubectl create secret tls` makes them; or `certificate`, which is PKCS#12 with the
/// key `password`, as aad-pod-identity had it, or PEM with both.
fn certificate(values: &SecretValues) -> Result<ClientCertificate, String> {
    let tls = (values.get("tls.crt"), values.get("tls.key"));
    let read = match (tls, values.get("certificate")) {
        ((Some(certificate), Some(key)), _) => ClientCertificate::from_pem(certificate, key),
        (_, Some(text)) if text.trim_ascii_start().starts_with(PEM) => {
            ClientCertificate::from_pem(text, text)
        }
        (_, Some(file)) => {
            let password = values.get("password").unwrap_or_default();
            let password = std::str::from_utf8(password);
            let password = password.map_err(|_| "its password is not text".to_owned())?;
            ClientCertificate::from_pkcs12(file, password)
        }
        _ => {
            let keys = values.keys();
            return Err(format!(
                "its keys are {keys}; a certificate must be in certificate (and password), or in tls.crt and tls.key"
            ));
        }
    };
    read.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(values: &SecretValues) -> Result<String, String> {
        password(values).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn the_password_is_always_the_same_one() {
        let one = SecretValues::from([("any", &b"pw\n"[..])]);
        assert_eq!(exposed(&one).as_deref(), Ok("pw"));
        let named = SecretValues::from([("a", &b"x"[..]), (PASSWORD_KEY, b"pw"), ("z", b"y")]);
        assert_eq!(exposed(&named).as_deref(), Ok("pw"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_values() {
        for values in [
            SecretValues::default(),
            SecretValues::from([("a", &b"marker"[..]), ("b", b"marker")]),
            SecretValues::from([("a", &b"\xffmarker"[..])]),
            SecretValues::from([("a", &b"\n"[..])]),
        ] {
            let why = exposed(&values).unwrap_err();
            assert!(!why.contains("marker"), "{why}");
        }
        for values in [
            SecretValues::default(),
            SecretValues::from([("tls.crt", &b"marker"[..]), ("tls.key", b"marker")]),
            SecretValues::from([("certificate", &b"-----BEGIN marker"[..])]),
            SecretValues::from([("certificate", &b"marker"[..]), ("password", b"marker")]),
        ] {
            let why = certificate(&values).unwrap_err();
            assert!(!why.contains("marker"), "{why}");
            assert!(!format!("{values:?}").contains("marker"));
        }
    }
}
