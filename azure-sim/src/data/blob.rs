//! Blob storage: listing containers and blobs.

use std::fmt::Write as _;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::may;
use crate::clock::http_time;
use crate::operation::Operation;
use crate::router::{Answer, BLOB_SUFFIX, ENTRA_HOST, Named};
use crate::shared::Shared;
use crate::state::{Plane, State, Store};
use crate::tokens::{Caller, Refused};
use crate::wire::{Reply, Request};
use crate::world::{Blob, StorageAccount};

const RESOURCE: &str = "https://storage.azure.com";
const LIST_CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
const LIST_BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
/// Items of a page, unless fewer are asked for.
const PAGE: usize = 5000;
/// The oldest `x-ms-version` that takes a bearer token.
const BEARER_SINCE: &str = "2017-11-09";

/// What a request to an account asks for.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    account: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Containers,
    Blobs(String),
    Other,
}

impl Route {
    pub(crate) fn of(request: &Request, account: &str) -> Self {
        let path = percent_decode_str(&request.path)
            .decode_utf8_lossy()
            .into_owned();
        let parts: Vec<_> = path.split('/').filter(|s| !s.is_empty()).collect();
        let list = request.method == Method::GET && request.query("comp") == Some("list");
        let container = request.query("restype") == Some("container");
        let kind = match parts[..] {
            [] if list => Kind::Containers,
            [name] if list && container => Kind::Blobs(name.into()),
            _ => Kind::Other,
        };
        Self {
            account: account.into(),
            kind,
        }
    }

    pub(crate) fn named(&self) -> Named {
        let (operation, resource) = match &self.kind {
            Kind::Containers => (Operation::ContainerList, self.account.clone()),
            Kind::Blobs(container) => {
                (Operation::BlobList, format!("{}/{container}", self.account))
            }
            Kind::Other => (Operation::BlobOther, self.account.clone()),
        };
        Named {
            operation,
            resource,
        }
    }
}

/// Answers a request to a storage account.
pub(crate) fn answer(shared: &Shared, request: &Request, route: &Route) -> Answer {
    let state = shared.state();
    let Some(account) = state.accounts.get(&route.account) else {
        let text = format!("There is no storage account '{}'.", route.account);
        return error(StatusCode::NOT_FOUND, "ResourceNotFound", &text).into();
    };
    let own = format!("https://{}{BLOB_SUFFIX}", route.account);
    let caller = shared.signer.caller(
        request,
        &state.tenant,
        &[RESOURCE, &own],
        shared.clock.epoch(),
    );
    let (reply, principal) = match caller {
        Ok(caller) => (
            admitted(shared, &state, request, route, account, &caller),
            Some(caller.oid),
        ),
        Err(refused) => (challenge(&refused, &state.tenant), None),
    };
    let reply = reply
        .with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
        .with("x-ms-request-id", uuid::Uuid::new_v4().to_string())
        .with(
            "x-ms-version",
            request.header("x-ms-version").unwrap_or(BEARER_SINCE),
        )
        .with("date", http_time(shared.clock.now()));
    Answer { reply, principal }
}

fn admitted(
    shared: &Shared,
    state: &State,
    request: &Request,
    route: &Route,
    account: &Store<StorageAccount>,
    caller: &Caller,
) -> Reply {
    if request
        .header("x-ms-version")
        .is_none_or(|v| v < BEARER_SINCE)
    {
        let text = format!("A bearer token needs x-ms-version {BEARER_SINCE} or later.");
        return error(StatusCode::BAD_REQUEST, "InvalidHeaderValue", &text);
    }
    let services = format!("{}/blobServices/default", account.id.path());
    let allowed = |operation, need: (Plane, &str), scope: &str| {
        may(shared, state, operation, &caller.oid, need, scope)
    };
    let Some(page) = Page::read(request) else {
        let text = "The value of maxresults is outside the permitted range.";
        return error(
            StatusCode::BAD_REQUEST,
            "OutOfRangeQueryParameterValue",
            text,
        );
    };
    match &route.kind {
        Kind::Containers => {
            if !allowed(
                Operation::ContainerList,
                (Plane::Control, LIST_CONTAINERS),
                &account.id.path(),
            ) {
                return mismatch();
            }
            let stamp = http_time(shared.clock.now());
            let names = account.content.containers.keys().map(String::as_str);
            let items = names.map(|n| (n, container_xml(n, &stamp)));
            list(&route.account, None, "Containers", items.collect(), &page)
        }
        Kind::Blobs(name) => {
            let scope = format!("{services}/containers/{name}");
            if !allowed(Operation::BlobList, (Plane::Data, LIST_BLOBS), &scope) {
                return mismatch();
            }
            let Some(blobs) = account.content.containers.get(name) else {
                return error(
                    StatusCode::NOT_FOUND,
                    "ContainerNotFound",
                    "The specified container does not exist.",
                );
            };
            let stamp = http_time(shared.clock.now());
            let items = blobs.iter().map(|b| (b.name.as_str(), blob_xml(b, &stamp)));
            list(&route.account, Some(name), "Blobs", items.collect(), &page)
        }
        Kind::Other => {
            let text = "azure-sim simulates listing containers and blobs and nothing else.";
            error(StatusCode::NOT_IMPLEMENTED, "NotSimulated", text)
        }
    }
}

/// Which part of a list is asked for.
struct Page<'a> {
    prefix: &'a str,
    marker: &'a str,
    size: usize,
}

impl<'a> Page<'a> {
    fn read(request: &'a Request) -> Option<Self> {
        let size = match request.query("maxresults") {
            None => PAGE,
            Some(text) => text.parse::<usize>().ok().filter(|n| *n > 0)?.min(PAGE),
        };
        Some(Self {
            prefix: request.query("prefix").unwrap_or_default(),
            marker: request.query("marker").unwrap_or_default(),
            size,
        })
    }
}

/// One page; the marker is the name of the first item of the next.
fn list(
    account: &str,
    container: Option<&str>,
    word: &str,
    mut items: Vec<(&str, String)>,
    page: &Page<'_>,
) -> Reply {
    items.sort();
    let mut rest = items
        .into_iter()
        .filter(|(name, _)| name.starts_with(page.prefix) && *name >= page.marker)
        .peekable();
    let mut body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://{account}{BLOB_SUFFIX}/\""
    );
    if let Some(name) = container {
        // Writing to a String cannot fail.
        let _ = write!(body, " ContainerName=\"{}\"", escape(name));
    }
    let _ = write!(body, "><{word}>");
    for (_, xml) in rest.by_ref().take(page.size) {
        body.push_str(&xml);
    }
    let next = rest
        .peek()
        .map_or_else(String::new, |(name, _)| escape(name));
    let _ = write!(
        body,
        "</{word}><NextMarker>{next}</NextMarker></EnumerationResults>"
    );
    Reply::text(StatusCode::OK, "application/xml", body)
}

fn container_xml(name: &str, stamp: &str) -> String {
    format!(
        "<Container><Name>{}</Name><Properties><Last-Modified>{stamp}</Last-Modified>\
         <Etag>\"0x1\"</Etag><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
         <HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>\
         </Properties></Container>",
        escape(name),
    )
}

fn blob_xml(blob: &Blob, stamp: &str) -> String {
    format!(
        "<Blob><Name>{}</Name><Properties><Last-Modified>{stamp}</Last-Modified><Etag>0x1</Etag>\
         <Content-Length>{}</Content-Length><Content-Type>application/octet-stream</Content-Type>\
         <BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus>\
         <LeaseState>available</LeaseState></Properties></Blob>",
        escape(&blob.name),
        blob.size,
    )
}

fn challenge(refused: &Refused, tenant: &str) -> Reply {
    let (code, text) = match refused {
        Refused::Missing => (
            "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
        ),
        _ => (
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
        ),
    };
    let challenge = format!(
        "Bearer authorization_uri=https://{ENTRA_HOST}/{tenant}/oauth2/authorize resource_id={RESOURCE}"
    );
    error(StatusCode::UNAUTHORIZED, code, text).with("www-authenticate", challenge)
}

fn mismatch() -> Reply {
    error(
        StatusCode::FORBIDDEN,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )
}

fn error(status: StatusCode, code: &str, text: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{}</Message></Error>",
        escape(text),
    );
    Reply::text(status, "application/xml", body).with("x-ms-error-code", code)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
