use reqwest::header::{HeaderMap, HeaderName};

pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
pub(super) const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
pub(super) const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// A header's text, if it is there and readable.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
