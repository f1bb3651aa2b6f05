use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::{
    PrincipalCredential, PrincipalError, PrincipalTokenRequest, PrincipalTokens, assertion,
};
use crate::entra_text::without_trace;
use crate::imds::number;
use crate::retry_after::retry_after;
use crate::secret::wipe;
use crate::{ImdsToken, Secret, Transport, TransportOptions};

/// Longest text of an error that is kept; Entra's are shorter.
const DESCRIPTION_MAX: usize = 2_000;

/// [`PrincipalTokens`] over HTTP, by Entra's endpoint that takes a `resource` as the metadata service does.
#[derive(Debug)]
pub struct Principals {
    options: TransportOptions,
    /// Made for the first request: reading the trust store takes memory that a node without service principals can
    /// do without.
    transport: OnceLock<Transport>,
}

/// A token as Entra writes it: numbers as text or as numbers.
#[derive(Deserialize)]
struct EntraToken {
    access_token: Secret,
    #[serde(deserialize_with = "number")]
    expires_in: u64,
    #[serde(default)]
    token_type: String,
}

/// The error body. A proxy's has another form.
#[derive(Default, Deserialize)]
#[serde(default)]
struct EntraErrorBody {
    error: String,
    error_description: String,
}

impl Principals {
    /// Asks over a transport with these options.
    #[must_use]
    pub fn new(options: TransportOptions) -> Self {
        Self {
            options,
            transport: OnceLock::new(),
        }
    }

    fn transport(&self) -> Result<&Transport, PrincipalError> {
        if let Some(made) = self.transport.get() {
            return Ok(made);
        }
        let made = Transport::new(&self.options);
        let made = made.map_err(|error| PrincipalError::Setup(Arc::new(error)))?;
        Ok(self.transport.get_or_init(|| made))
    }
}

#[async_trait]
impl PrincipalTokens for Principals {
    async fn token(
        &self,
        request: &PrincipalTokenRequest,
        credential: &PrincipalCredential,
    ) -> Result<ImdsToken, PrincipalError> {
        let url = format!("{}/{}/oauth2/token", request.authority, request.tenant);
        let form = form(request, credential, &url)?;
        let asked = self.transport()?.client().post(&url);
        let asked = asked
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let no_answer = |source: reqwest::Error| PrincipalError::NoAnswer {
            authority: request.authority.clone(),
            source: Arc::new(source.without_url()),
        };
        let response = asked.send().await.map_err(no_answer)?;
        let status = response.status();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let body = response.bytes().await.map_err(no_answer)?;
        if status.is_success() {
            return token(request, body);
        }
        let EntraErrorBody {
            error,
            error_description: description,
        } = serde_json::from_slice(&body).unwrap_or_default();
        Err(PrincipalError::Refused {
            status: status.as_u16(),
            error,
            description: without_trace(&description)
                .chars()
                .take(DESCRIPTION_MAX)
                .collect(),
            retry_after,
        })
    }
}

/// The form of a request. It is wiped when it has been sent.
fn form(
    request: &PrincipalTokenRequest,
    credential: &PrincipalCredential,
    url: &str,
) -> Result<Bytes, PrincipalError> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &request.client_id)
        .append_pair("resource", &request.resource);
    match credential {
        PrincipalCredential::Password(password) => {
            form.append_pair("client_secret", password.expose());
        }
        PrincipalCredential::Certificate(certificate) => {
            let assertion = assertion::sign(certificate, &request.client_id, url)?;
            form.append_pair("client_assertion_type", assertion::TYPE)
                .append_pair("client_assertion", assertion.expose());
        }
    }
    Ok(Bytes::from_owner(Zeroizing::new(
        form.finish().into_bytes(),
    )))
}

/// Reads a token, and wipes what it was read from.
fn token(request: &PrincipalTokenRequest, body: Bytes) -> Result<ImdsToken, PrincipalError> {
    let read: Result<EntraToken, _> = serde_json::from_slice(&body);
    wipe(body);
    let token = read.map_err(|source| PrincipalError::Malformed {
        authority: request.authority.clone(),
        source: Arc::new(source),
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let expires_on = now.saturating_add(token.expires_in);
    Ok(ImdsToken {
        access_token: token.access_token,
        client_id: request.client_id.clone(),
        expires_in: token.expires_in,
        expires_on,
        ext_expires_in: None,
        not_before: None,
        resource: request.resource.clone(),
        token_type: token.token_type,
    })
}
