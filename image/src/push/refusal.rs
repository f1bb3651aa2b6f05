//! Saying in one line what a registry refused, and what to do about it.

use std::error::Error;

use oci_client::errors::{OciDistributionError, OciErrorCode};

/// What went wrong, told of a registry and a repository of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No connection, with the reason.
    Unreachable(String),
    /// Its certificate is not trusted, with the reason.
    Untrusted(String),
    /// It answers without TLS.
    NoTls,
    /// 401.
    NotLoggedIn,
    /// 403.
    Forbidden,
    /// 404.
    Absent,
    /// Another status, or something that is no answer.
    Other(String),
}

impl Refusal {
    pub(super) fn of(error: &OciDistributionError) -> Self {
        match error {
            OciDistributionError::RequestError(error) => Self::of_request(error),
            OciDistributionError::ServerError { code, message, .. } => {
                Self::of_status(*code, message)
            }
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => Self::NotLoggedIn,
            OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first() {
                Some(error) => Self::of_code(&error.code, &error.message),
                None => Self::Other("it gave no reason".to_owned()),
            },
            other => Self::Other(line(&other.to_string())),
        }
    }

    fn of_code(code: &OciErrorCode, message: &str) -> Self {
        match code {
            OciErrorCode::Unauthorized => Self::NotLoggedIn,
            OciErrorCode::Denied => Self::Forbidden,
            OciErrorCode::NameUnknown
            | OciErrorCode::ManifestUnknown
            | OciErrorCode::NotFound
            | OciErrorCode::BlobUnknown => Self::Absent,
            other => Self::Other(line(&format!("{other:?} {message}"))),
        }
    }

    fn of_request(error: &reqwest::Error) -> Self {
        if let Some(status) = error.status() {
            return Self::of_status(status.as_u16(), "");
        }
        // The first link only repeats the URL.
        let mut reason = error.source();
        let mut last = None;
        while let Some(found) = reason {
            if let Some(tls) = found.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            last = Some(found);
            reason = inner(found);
        }
        Self::Unreachable(line(
            &last.map_or_else(|| error.to_string(), ToString::to_string),
        ))
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidMessage(_) => Self::NoTls,
            other => Self::Untrusted(line(&other.to_string())),
        }
    }

    fn of_status(status: u16, message: &str) -> Self {
        match status {
            401 => Self::NotLoggedIn,
            403 => Self::Forbidden,
            404 => Self::Absent,
            _ => Self::Other(line(&format!("status {status} {message}"))),
        }
    }

    /// The whole line.
    pub(super) fn tell(&self, registry: &str, repository: &str) -> String {
        match self {
            Self::Unreachable(why) => format!(
                "cannot reach the registry {registry} ({why}): check its name and port, and whether it runs"
            ),
            Self::Untrusted(why) => format!(
                "the registry {registry} has a certificate that is not trusted ({why}): add its CA to this \
                 computer's, or name a file of trusted CAs in SSL_CERT_FILE"
            ),
            Self::NoTls => format!(
                "the registry {registry} speaks no TLS: check its port, or say --plain-http if that is as you \
                 want it"
            ),
            Self::NotLoggedIn => format!(
                "the registry {registry} does not know you (401): log in to it, as with \
                 `docker login {registry}`, which writes ~/.docker/config.json"
            ),
            Self::Forbidden => format!(
                "the registry {registry} does not let you push to {repository} (403): ask its owner for the \
                 right to, or push to another prefix"
            ),
            Self::Absent => format!(
                "the registry {registry} has no repository {repository} (404): create it there, or check \
                 REGISTRY/PREFIX"
            ),
            Self::Other(why) => {
                format!("the registry {registry} did not take {repository}: {why}")
            }
        }
    }
}

/// What is behind an error. An I/O error that holds another one says as its source what that one's source is.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let held = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match held {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// Text of somebody else's, on one line and not too long.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> OciDistributionError {
        OciDistributionError::ServerError {
            code,
            url: "https://r.example/v2/".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn every_refusal_is_one_line_with_the_registry_and_what_to_do() {
        for (code, wanted) in [
            (401, "docker login r.example"),
            (403, "ask its owner"),
            (404, "create it there"),
            (500, "status 500 <html> oops"),
        ] {
            let said =
                Refusal::of(&server(code, "<html>\n\n oops")).tell("r.example", "team/podid");
            assert!(
                said.contains(wanted) && said.contains("r.example"),
                "{said}"
            );
            assert!(!said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn an_error_of_tls_is_found_behind_errors_of_io() {
        let tls = rustls::Error::HandshakeNotComplete;
        let error = std::io::Error::other(std::io::Error::other(tls.clone()));
        let found = inner(&error).and_then(inner).unwrap();
        assert_eq!(found.downcast_ref::<rustls::Error>(), Some(&tls));
        assert!(inner(found).is_none());
    }

    #[test]
    fn codes_of_the_specification_mean_the_same_as_statuses() {
        for (code, refusal) in [
            (OciErrorCode::Unauthorized, Refusal::NotLoggedIn),
            (OciErrorCode::Denied, Refusal::Forbidden),
            (OciErrorCode::NameUnknown, Refusal::Absent),
        ] {
            assert_eq!(Refusal::of_code(&code, ""), refusal);
        }
    }
}
