//! The generated management crates (0.21) over our own connection.
//!
//! [`Arm::send`] adds tokens, retries and the reading of error bodies. Only the types of requests and
//! answers come from the generated crates. Why:
//! `docs/decisions/azure-management-crates.md`.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use azure_core_021::{
    Body, HttpClient, Method as LegacyMethod, Request, Response, RetryOptions, StatusCode,
    TransportOptions, Url,
    auth::{AccessToken, Secret, TokenCredential},
    error::{Error, ErrorKind},
    headers::Headers,
};
use bytes::Bytes;
use reqwest::Method;
use time::OffsetDateTime;

use super::{Arm, ArmRequest, CallContext};
use crate::{AzureError, Result};

/// What a client of a generated crate is built from, for one call.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    arm: Arm,
    call: CallContext,
}

impl Session {
    pub(crate) fn new(arm: &Arm, call: CallContext) -> Self {
        Self {
            arm: arm.clone(),
            call,
        }
    }

    pub(crate) fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::new(NoToken)
    }

    pub(crate) fn endpoint(&self) -> Url {
        self.arm.endpoints().arm().clone()
    }

    pub(crate) fn transport(&self) -> TransportOptions {
        let asked = Mutex::default();
        let (arm, call) = (self.arm.clone(), self.call.clone());
        TransportOptions::new(Arc::new(Bridge { arm, call, asked }))
    }

    /// No repeats there: they are made below, where `Retry-After` is honoured.
    pub(crate) fn retry(&self) -> RetryOptions {
        RetryOptions::none()
    }

    /// The error that happened below the generated code, or what that code made of an answer.
    pub(crate) fn error(&self, error: Error) -> AzureError {
        error.into_downcast::<AzureError>().unwrap_or_else(|error| {
            self.call
                .malformed("not the JSON expected", Some(Box::new(error)))
        })
    }

    pub(crate) fn malformed(&self, what: &str) -> AzureError {
        self.call.malformed(what, None)
    }
}

/// The credential that the generated code asks for. The real token is added by [`Arm::send`]:
/// that code prints its request headers at debug level, `Authorization` included.
#[derive(Debug)]
struct NoToken;

#[async_trait]
impl TokenCredential for NoToken {
    async fn get_token(&self, _scopes: &[&str]) -> azure_core_021::Result<AccessToken> {
        Ok(AccessToken::new(
            Secret::new(""),
            OffsetDateTime::UNIX_EPOCH,
        ))
    }

    async fn clear_cache(&self) -> azure_core_021::Result<()> {
        Ok(())
    }
}

/// Carries a request of the generated code to [`Arm::send`] and its answer back.
#[derive(Debug)]
struct Bridge {
    arm: Arm,
    call: CallContext,
    /// URLs already asked for: a list whose next page is an old one would never end.
    asked: Mutex<HashSet<Url>>,
}

#[async_trait]
impl HttpClient for Bridge {
    async fn execute_request(&self, request: &Request) -> azure_core_021::Result<Response> {
        let failed = |error: AzureError| Error::new(ErrorKind::Other, error);
        let request = self.translate(request).map_err(failed)?;
        let response = self.arm.send(&self.call, &request).await.map_err(failed)?;
        let status = StatusCode::try_from(response.status.as_u16())
            .map_err(|_| failed(self.call.malformed("an unknown HTTP status", None)))?;
        let body = Box::pin(futures::stream::iter([Ok(response.body)]));
        Ok(Response::new(status, Headers::new(), body))
    }
}

impl Bridge {
    fn translate(&self, request: &Request) -> Result<ArmRequest> {
        let method = match request.method() {
            LegacyMethod::Get => Method::GET,
            LegacyMethod::Put => Method::PUT,
            LegacyMethod::Delete => Method::DELETE,
            _ => return Err(self.call.malformed("a method we do not use", None)),
        };
        let mut url = request.url().clone();
        // The generated code puts a slash before the scope, which is a slash itself at the root.
        if let Some(path) = url.path().strip_prefix("//").map(|rest| format!("/{rest}")) {
            url.set_path(&path);
        }
        let mut asked = self
            .asked
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if !asked.insert(url.clone()) {
            return Err(self
                .call
                .malformed("the list leads back to a page already read", None));
        }
        Ok(ArmRequest {
            body: self.body(request)?,
            ..ArmRequest::new(method, url)
        })
    }

    fn body(&self, request: &Request) -> Result<Option<Bytes>> {
        match request.body() {
            Body::Bytes(bytes) if bytes.is_empty() => Ok(None),
            Body::Bytes(bytes) => Ok(Some(bytes.clone())),
            Body::SeekableStream(_) => Err(self.call.malformed("a streamed request", None)),
        }
    }
}
