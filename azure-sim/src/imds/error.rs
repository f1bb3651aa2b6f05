//! Errors of the metadata service. They are always JSON.

use http::StatusCode;
use serde_json::json;

use crate::entra::EntraError;
use crate::message::Reply;

pub(super) type Result<T> = std::result::Result<T, ImdsError>;

#[derive(Clone, Debug)]
pub(super) enum ImdsError {
    Plain {
        status: StatusCode,
        error: &'static str,
        description: String,
    },
    /// `api-version` is missing or unknown. The answer lists the newest versions; here they are in
    /// ascending order.
    Version { newest: &'static [&'static str] },
    /// An error of Entra's, which IMDS returns unchanged.
    Entra(EntraError, jiff::Timestamp),
}

impl ImdsError {
    pub(super) fn new(
        status: StatusCode,
        error: &'static str,
        description: impl Into<String>,
    ) -> Self {
        Self::Plain {
            status,
            error,
            description: description.into(),
        }
    }

    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    pub(super) fn not_found(description: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// Clients compare this text, so it must stay exactly so.
    pub(super) fn identity_not_found() -> Self {
        Self::invalid_request("Identity not found")
    }

    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Plain {
                status,
                error,
                description,
            } => Reply::json(
                *status,
                &json!({"error": error, "error_description": description}),
            ),
            Self::Version { newest } => {
                let newest: Vec<_> = newest.iter().rev().collect();
                Reply::json(
                    StatusCode::BAD_REQUEST,
                    &json!({
                        "error": "Bad request. api-version is invalid or was not specified in the \
                                  request. For more information refer to aka.ms/azureimds",
                        "newest-versions": newest,
                    }),
                )
            }
            Self::Entra(error, now) => error.reply(*now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_identity_is_68_bytes() {
        assert_eq!(ImdsError::identity_not_found().reply().body.len(), 68);
    }

    #[test]
    fn the_newest_version_comes_first() {
        let newest = &["2024-03-15", "2024-07-17", "2025-04-07"];
        let reply = ImdsError::Version { newest }.reply();
        assert_eq!(reply.value()["newest-versions"][0], "2025-04-07");
    }
}
