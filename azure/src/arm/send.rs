use std::{
    error::Error,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, IF_MATCH},
};
use tracing::{Instrument, Span, debug, field};
use url::Url;
use uuid::Uuid;

use super::{Arm, ArmCall, CallContext, GateDecision, headers};
use crate::{AzureError, Reply, Result, Token, retry_after::retry_after};

/// A request before it has a token.
#[derive(Clone, Debug)]
pub(crate) struct ArmRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Bytes>,
    pub(crate) if_match: Option<String>,
}

/// An answer with a success status.
#[derive(Debug)]
pub(crate) struct ArmResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl ArmRequest {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            body: None,
            if_match: None,
        }
    }

    pub(crate) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }
}

impl ArmResponse {
    /// The answer as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, call: &CallContext) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|source| call.malformed("not the JSON expected", Some(Box::new(source))))
    }

    pub(super) fn header(&self, name: &reqwest::header::HeaderName) -> Option<String> {
        headers::text(&self.headers, name)
    }
}

impl Arm {
    /// The URL of a resource id with an API version.
    pub(crate) fn url(&self, resource: &str, api_version: &str) -> Url {
        let mut url = self.inner.endpoints.arm().clone();
        url.set_path(resource);
        url.query_pairs_mut()
            .append_pair("api-version", api_version);
        url
    }

    /// Sends a request with a token and reads the whole answer, trying again as the
    /// [`RetryPolicy`](super::RetryPolicy) says. A status other than success is an error.
    pub(crate) async fn send(
        &self,
        call: &CallContext,
        request: &ArmRequest,
    ) -> Result<ArmResponse> {
        self.refuse_foreign(call, &request.url)?;
        let span = tracing::info_span!(
            "azure",
            operation = call.operation.as_str(),
            resource = %call.resource,
            method = %request.method,
            status = field::Empty,
            attempts = field::Empty,
            elapsed_ms = field::Empty,
        );
        let started = Instant::now();
        async {
            let result = self.send_with_retries(call, request).await;
            let status = match &result {
                Ok(response) => Some(response.status.as_u16()),
                Err(error) => error.status(),
            };
            let span = Span::current();
            span.record("status", status);
            span.record("elapsed_ms", started.elapsed().as_millis() as u64);
            debug!(
                code = result.as_ref().err().and_then(AzureError::code),
                "answered"
            );
            result
        }
        .instrument(span)
        .await
    }

    /// A token goes to the configured host only, whatever an answer points to.
    fn refuse_foreign(&self, call: &CallContext, url: &Url) -> Result<()> {
        let arm = self.inner.endpoints.arm();
        if url.origin() == arm.origin() {
            return Ok(());
        }
        let shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
        Err(AzureError::ForeignUrl {
            operation: call.operation,
            resource: call.resource.clone(),
            url: shown,
            host: arm.origin().ascii_serialization(),
        })
    }

    async fn send_with_retries(
        &self,
        call: &CallContext,
        request: &ArmRequest,
    ) -> Result<ArmResponse> {
        let mut attempt = 1;
        loop {
            Span::current().record("attempts", attempt);
            let error = match self.send_authenticated(call, request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let Some(delay) = self.inner.retry.delay(&error, attempt, rand::random()) else {
                return Err(error);
            };
            debug!(attempt, ?delay, %error, "trying again");
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    /// A token may be refused before its time (revoked, key rolled, claims asked for): then one
    /// more try is made with a fresh one.
    async fn send_authenticated(
        &self,
        call: &CallContext,
        request: &ArmRequest,
    ) -> Result<ArmResponse> {
        let token = self.token(call).await?;
        let result = self.send_once(call, request, &token).await;
        if !matches!(&result, Err(error) if error.status() == Some(401)) {
            return result;
        }
        debug!("token refused; asking for a new one");
        // Without this the credential would return the refused token until it expires.
        self.inner.credential.forget(&token)?;
        let token = self.token(call).await?;
        self.send_once(call, request, &token).await
    }

    async fn token(&self, call: &CallContext) -> Result<Token> {
        self.inner
            .credential
            .token_for(call, &self.inner.endpoints.arm_scope())
            .await
    }

    /// Sends the request if the gate lets it pass. The gate is asked here and nowhere else, because
    /// every attempt comes through here.
    async fn send_once(
        &self,
        call: &CallContext,
        request: &ArmRequest,
        token: &Token,
    ) -> Result<ArmResponse> {
        let about_to_leave = ArmCall {
            operation: call.operation,
            resource: &call.resource,
            method: &request.method,
        };
        match self.inner.gate.admit(&about_to_leave) {
            GateDecision::Send => {
                let answered = self.exchange(call, request, token).await;
                if let Err(AzureError::Refused { reply, .. }) = &answered {
                    self.inner.gate.refused(&about_to_leave, reply);
                }
                answered
            }
            GateDecision::LoseAnswer => {
                // What Azure answered is what a caller whose connection broke does not learn.
                let _lost = self.exchange(call, request, token).await;
                Err(self.no_answer(call, "the answer was thrown away".into()))
            }
            GateDecision::Refuse(refusal) => Err(AzureError::NotSent {
                operation: call.operation,
                resource: call.resource.clone(),
                source: refusal.reason,
                retry_after: refusal.retry_after,
                next_step: refusal.next_step,
            }),
        }
    }

    /// One request, and its whole answer.
    async fn exchange(
        &self,
        call: &CallContext,
        request: &ArmRequest,
        token: &Token,
    ) -> Result<ArmResponse> {
        // The URL is in the message already, with less noise.
        let no_answer = |error: reqwest::Error| self.no_answer(call, error.without_url().into());
        let sent = self.build(request, token).send().await;
        let response = sent.map_err(no_answer)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(no_answer)?;
        if status.is_success() {
            Ok(ArmResponse {
                status,
                headers,
                body,
            })
        } else {
            let reply = read_error(status, &headers, &body);
            Err(AzureError::refused(call.operation, &call.resource, reply))
        }
    }

    fn build(&self, request: &ArmRequest, token: &Token) -> RequestBuilder {
        let client = self.inner.transport.client();
        let mut builder = client
            .request(request.method.clone(), request.url.clone())
            .bearer_auth(token.secret().expose())
            .header(headers::CLIENT_REQUEST_ID, Uuid::new_v4().to_string());
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        if let Some(etag) = &request.if_match {
            builder = builder.header(IF_MATCH, etag);
        }
        builder
    }

    fn no_answer(&self, call: &CallContext, source: Box<dyn Error + Send + Sync>) -> AzureError {
        AzureError::NoAnswer {
            operation: call.operation,
            resource: call.resource.clone(),
            host: self.inner.endpoints.arm().authority().to_owned(),
            source,
        }
    }
}

fn read_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Reply {
    let mut reply = Reply::from_arm(status.as_u16(), body);
    if reply.code.is_empty() {
        reply.code = headers::text(headers, &headers::ERROR_CODE).unwrap_or_default();
    }
    reply.retry_after = retry_after(headers, SystemTime::now());
    reply.request_id = headers::text(headers, &headers::REQUEST_ID);
    reply
}
