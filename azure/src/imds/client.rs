use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reqwest::{RequestBuilder, Response, redirect::Policy};
use serde::{Deserialize, Deserializer, de};
use url::Url;
use zeroize::Zeroizing;

use super::{ClientHeaders, ImdsError, ImdsToken, ImdsTokenRequest, ImdsTokens};
use crate::retry_after::retry_after;
use crate::secret::wipe;

/// The oldest version of the token endpoint; its answer is the one every SDK knows.
const API_VERSION: &str = "2018-02-01";
const TOKEN_PATH: &str = "/metadata/identity/oauth2/token";
/// Most bytes of an answer that are read, so that nothing which answers in the service's place fills the memory. A
/// token with all that is said of it has a tenth of it.
const BODY_MAX: usize = 128 * 1024;

/// Where IMDS is and how long it may take.
#[derive(Clone, Debug)]
pub struct ImdsOptions {
    /// Base URL, `http://169.254.169.254` on every Azure VM.
    pub base_url: String,
    /// Longest time for one request.
    pub timeout: Duration,
}

impl Default for ImdsOptions {
    fn default() -> Self {
        Self {
            base_url: "http://169.254.169.254".to_owned(),
            // A fresh token takes IMDS a second or two; SDKs wait longer than this.
            timeout: Duration::from_secs(10),
        }
    }
}

/// [`ImdsTokens`] over HTTP. Connections are kept open between requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Imds {
    client: reqwest::Client,
    token_url: Url,
    options: ImdsOptions,
}

/// The error body. Some errors, and all of a proxy's, have another one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ImdsErrorBody {
    error: String,
    error_description: String,
}

impl Imds {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ImdsError::Setup`] if the base URL is not of the form `http://host[:port]`.
    pub fn new(options: ImdsOptions) -> Result<Self, ImdsError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| ImdsError::Setup {
            url: options.base_url.clone(),
            source: source.into(),
        };
        let base = Url::parse(&options.base_url).map_err(|source| failed(source.into()))?;
        if base.scheme() != "http" || !base.has_host() {
            return Err(failed("IMDS speaks plain HTTP only".into()));
        }
        let token_url = base
            .join(TOKEN_PATH)
            .map_err(|source| failed(source.into()))?;
        let client = reqwest::Client::builder()
            // The service is on this VM: through a proxy, that of the proxy's VM would answer.
            .no_proxy()
            .redirect(Policy::none())
            // Plain HTTP needs no certificates; reading the trust store takes its time.
            .tls_certs_only([])
            .timeout(options.timeout)
            .build()
            .map_err(|source| failed(source.into()))?;
        Ok(Self {
            client,
            token_url,
            options,
        })
    }

    fn request(&self, request: &ImdsTokenRequest) -> RequestBuilder {
        let query = [
            ("api-version", API_VERSION),
            ("resource", &request.resource),
        ];
        let bypass = request.bypass_cache.then_some(("bypass_cache", "true"));
        let builder = self
            .client
            .get(self.token_url.clone())
            .query(&query)
            .query(&request.identity.parameter().as_slice())
            .query(&bypass.as_slice());
        pass_on(builder.header("Metadata", "true"), &request.headers)
    }

    fn no_answer(&self, source: reqwest::Error) -> ImdsError {
        let url = self.options.base_url.clone();
        if source.is_timeout() {
            ImdsError::Timeout {
                url,
                timeout: self.options.timeout,
            }
        } else {
            ImdsError::Unreachable {
                url,
                source: Arc::new(source.without_url()),
            }
        }
    }
}

fn pass_on(builder: RequestBuilder, headers: &ClientHeaders) -> RequestBuilder {
    let named = [
        ("x-client-SKU", &headers.sku),
        ("x-client-Ver", &headers.version),
        ("x-ms-client-request-id", &headers.request_id),
    ];
    named
        .into_iter()
        .fold(builder, |builder, (name, value)| match value {
            Some(value) => builder.header(name, value),
            None => builder,
        })
}

/// The body of an answer, or as much of it as may be read.
async fn body(mut response: Response) -> reqwest::Result<Zeroizing<Vec<u8>>> {
    // Large enough from the start: a vector that grows leaves a copy of the token behind.
    let mut body = Zeroizing::new(Vec::with_capacity(BODY_MAX));
    while let Some(chunk) = response.chunk().await? {
        let part = chunk.len().min(BODY_MAX - body.len());
        body.extend_from_slice(&chunk[..part]);
        wipe(chunk);
        if body.len() == BODY_MAX {
            break;
        }
    }
    Ok(body)
}

#[async_trait]
impl ImdsTokens for Imds {
    async fn token(&self, request: &ImdsTokenRequest) -> Result<ImdsToken, ImdsError> {
        let response = self
            .request(request)
            .send()
            .await
            .map_err(|error| self.no_answer(error))?;
        let status = response.status();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        let body = body(response).await;
        let body = body.map_err(|error| self.no_answer(error))?;
        if status.is_success() {
            let token = serde_json::from_slice(&body);
            return token.map_err(|error| ImdsError::Malformed(Arc::new(error)));
        }
        let ImdsErrorBody {
            error,
            error_description: description,
        } = serde_json::from_slice(&body).unwrap_or_default();
        Err(ImdsError::Refused {
            status: status.as_u16(),
            error,
            description,
            retry_after,
        })
    }
}

/// IMDS writes numbers as text; a number is taken as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl NumberOrText {
    fn read<E: de::Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text
                .parse()
                .map_err(|_| E::invalid_value(de::Unexpected::Str(&text), &"digits")),
        }
    }
}

pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    NumberOrText::deserialize(deserializer)?.read()
}

/// Missing, null and empty text count as not said.
pub(super) fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    match Option::<NumberOrText>::deserialize(deserializer)? {
        None => Ok(None),
        Some(NumberOrText::Text(text)) if text.is_empty() => Ok(None),
        Some(number) => number.read().map(Some),
    }
}
