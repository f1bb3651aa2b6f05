//! Validation: which requests are token requests as the metadata service documents them. Nothing here
//! waits or looks anything up, so a request that cannot become a token is answered at once, whatever
//! else is down.

mod host;
mod query;

use hyper::header::{HeaderMap, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};
use podid_azure::ClientHeaders;
use podid_core::resolve::Selector;
use url::form_urlencoded;

use self::host::{check_host, check_target};
use self::query::Query;
use crate::answer::ErrorAnswer;

/// Longest request target; the longest that any SDK sends is a tenth of it.
const TARGET_MAX: usize = 8 * 1024;
/// Most bytes of header names and values together.
const HEADERS_MAX: usize = 8 * 1024;
/// The first version that has the token endpoint. Versions are dates, so text order is theirs.
const FIRST_VERSION: &str = "2018-02-01";

/// A token request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidRequest {
    /// The audience, as it was written.
    pub(crate) resource: String,
    /// Which identity.
    pub(crate) selector: Selector,
    /// The tenant that is to issue the token of a service principal, if not its first.
    pub(crate) tenant: Option<String>,
    /// What the metadata service passes on to Entra.
    pub(crate) headers: ClientHeaders,
    /// Whether the client wants a token that was not kept.
    pub(crate) bypass_cache: bool,
}

/// Reads a request.
///
/// # Errors
/// The answer, when it is anything but a token request.
pub(crate) fn validate(request: &Parts) -> Result<ValidRequest, ErrorAnswer> {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = request;
    check_size(uri, headers)?;
    check_host(request.version, headers)?;
    check_metadata_headers(headers)?;
    if method != Method::GET {
        return Err(ErrorAnswer::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Only GET is allowed",
        ));
    }
    check_framing(headers)?;
    check_target(uri)?;
    check_path(uri.path())?;
    let query = Query::parse(uri.query().unwrap_or_default())?;
    let version = query.get("api-version").unwrap_or_default();
    if !is_version(version) || version < FIRST_VERSION {
        return Err(ErrorAnswer::bad_version());
    }
    let resource = query
        .get("resource")
        .ok_or_else(|| ErrorAnswer::invalid("Required query variable 'resource' is missing"))?;
    Ok(ValidRequest {
        resource: resource.to_owned(),
        selector: query.selector()?,
        tenant: query.get("tenant_id").map(str::to_owned),
        headers: client_headers(headers),
        bypass_cache: query
            .get("bypass_cache")
            .is_some_and(|wish| wish.eq_ignore_ascii_case("true")),
    })
}

/// Both rules keep a server-side request forgery from getting a token: an attacker who makes a server
/// fetch a URL can rarely set a header, and proxies add `X-Forwarded-For`. A request with several `Metadata`
/// headers that disagree is refused: whoever checked it on its way may have read another one than is read
/// here.
fn check_metadata_headers(headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    let mut flags = headers.get_all("metadata").iter().peekable();
    let given = flags.peek().is_some();
    if !given || !flags.all(|flag| flag.as_bytes().eq_ignore_ascii_case(b"true")) {
        return Err(ErrorAnswer::invalid(
            "Required metadata header not specified",
        ));
    }
    if headers.contains_key("x-forwarded-for") {
        return Err(ErrorAnswer::invalid(
            "Requests with the header X-Forwarded-For are refused",
        ));
    }
    Ok(())
}

fn check_size(uri: &Uri, headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    let target = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > TARGET_MAX {
        let answer = ErrorAnswer::new(StatusCode::URI_TOO_LONG, "invalid_request", "URI too long");
        return Err(answer.closing());
    }
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > HEADERS_MAX {
        let answer = ErrorAnswer::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "invalid_request",
            "Request headers too large",
        );
        return Err(answer.closing());
    }
    Ok(())
}

/// Refuses a token request in chunks (RFC 9110, section 9.3.1): no SDK sends one, and of a request with chunks and a
/// length, which others may read otherwise, the HTTP library shows the chunks only.
fn check_framing(headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    match headers.contains_key(TRANSFER_ENCODING) {
        true => Err(ErrorAnswer::invalid("A token request has no body").closing()),
        false => Ok(()),
    }
}

/// Accepts the token path only. Doubled slashes are collapsed, because some SDKs build them, and one
/// slash may follow, which `@azure/identity` 4.5 to 4.14 writes when it is told where the service is;
/// nothing else is repaired. What looks like the token path without being it gets a refusal of its
/// own: such paths once got past a proxy in front of the metadata service (CVE-2022-23551). Here
/// no path reaches the metadata service.
fn check_path(path: &str) -> Result<(), ErrorAnswer> {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    match segments.as_slice() {
        [first, "identity", "oauth2", "token"]
            if first.eq_ignore_ascii_case("metadata") && has_plain_end(path) =>
        {
            Ok(())
        }
        _ if resembles_token_path(path) => Err(ErrorAnswer::invalid("Invalid request")),
        [first, second, ..]
            if first.eq_ignore_ascii_case("metadata")
                && second.eq_ignore_ascii_case("instance") =>
        {
            Err(ErrorAnswer::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "Instance metadata is not given to pods",
            ))
        }
        _ => Err(ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "Not found",
        )),
    }
}

/// A slash at the end is accepted on the documented path only, and on no variant of it.
fn has_plain_end(path: &str) -> bool {
    !path.ends_with('/') || !path.contains("//")
}

fn resembles_token_path(path: &str) -> bool {
    // Decoded twice, for those who encode twice.
    let mut rest = decode(&decode(path)).to_ascii_lowercase();
    ["metadata", "identity", "oauth2", "token"]
        .iter()
        .all(|word| match rest.find(word) {
            Some(at) => {
                rest.drain(..at + word.len());
                true
            }
            None => false,
        })
}

fn decode(path: &str) -> String {
    let escaped = path.replace('+', "%2B");
    form_urlencoded::parse(escaped.replace(['&', '='], "").as_bytes())
        .map(|(text, _)| text.into_owned())
        .collect()
}

fn is_version(text: &str) -> bool {
    text.len() == FIRST_VERSION.len()
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn client_headers(headers: &HeaderMap) -> ClientHeaders {
    let owned = |name| text(headers, name).map(str::to_owned);
    ClientHeaders {
        sku: owned("x-client-sku"),
        version: owned("x-client-ver"),
        request_id: owned("x-ms-client-request-id"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
