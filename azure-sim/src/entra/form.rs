//! The form of a token request.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::error::{EntraError, Result};
use crate::message::Request;

/// The parameters of a token request, by name.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads the form of a request. Client id and secret may come by HTTP Basic authentication instead.
    pub(super) fn read(request: &Request) -> Self {
        let mut form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body)
            .into_owned()
            .collect();
        let basic = request
            .header("authorization")
            .and_then(|v| v.strip_prefix("Basic "))
            .and_then(|v| STANDARD.decode(v.trim()).ok())
            .and_then(|v| String::from_utf8(v).ok());
        if let Some((id, secret)) = basic.as_deref().and_then(|b| b.split_once(':')) {
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            form.insert("client_id".into(), decoded(id));
            form.insert("client_secret".into(), decoded(secret));
        }
        Self(form)
    }

    /// The parameter; `None` also if it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// The parameter, or the error that names it.
    pub(super) fn require(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            EntraError::invalid_request(
                900_144,
                format!("The request body must contain the following parameter: '{name}'."),
            )
        })
    }
}
