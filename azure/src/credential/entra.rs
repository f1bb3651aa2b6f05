use std::{error::Error as StdError, time::SystemTime};

use async_trait::async_trait;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, RawResponse, Request, headers::RETRY_AFTER},
};

use crate::{Reply, retry_after::parse};

/// The shared HTTP client, with Entra's error answers kept whole.
///
/// azure_identity 1.0 reads `error_description` as borrowed text: where the description holds a
/// line break, as Entra's do, reading it fails, and status, code and text are lost. So error
/// answers are read here and handed on as an error of ours.
#[derive(Debug)]
pub(super) struct EntraClient(pub(super) reqwest::Client);

#[derive(Debug, thiserror::Error)]
#[error("Entra answered {0}")]
struct EntraRefusal(Reply);

#[async_trait]
impl HttpClient for EntraClient {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let response = HttpClient::execute_request(&self.0, request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let reply = read(&response.try_into_raw_response().await?);
        Err(Error::new(ErrorKind::Credential, EntraRefusal(reply)))
    }
}

fn read(response: &RawResponse) -> Reply {
    let reply = Reply::from_oauth(u16::from(response.status()), response.body());
    let retry_after = response.headers().get_optional_str(&RETRY_AFTER);
    let retry_after = retry_after.and_then(|text| parse(text, SystemTime::now()));
    Reply {
        retry_after,
        ..reply
    }
}

/// The error answer that is somewhere in a chain of errors, if it came to one.
pub(super) fn reply_in(error: &Error) -> Option<Reply> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(EntraRefusal(reply)) = error.downcast_ref() {
            return Some(reply.clone());
        }
        if let Some(ErrorKind::HttpResponse {
            raw_response: Some(raw),
            ..
        }) = error.downcast_ref::<Error>().map(Error::kind)
        {
            return Some(read(raw));
        }
        cause = error.source();
    }
    None
}
