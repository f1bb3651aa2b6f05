//! Blob storage: listing containers and blobs.

mod page;
mod xml;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use self::page::Page;
use super::access::is_allowed;
use crate::answer::{Answer, Invocation};
use crate::clock::http_time;
use crate::host_names::{BLOB_SUFFIX, ENTRA_HOST};
use crate::message::{Reply, Request};
use crate::operation::Operation;
use crate::resources::{DataStore, Plane};
use crate::seed::StorageAccount;
use crate::shared::Shared;
use crate::state::State;
use crate::tokens::{Caller, TokenError};

const RESOURCE: &str = "https://storage.azure.com";
const LIST_CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
const LIST_BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
/// The oldest `x-ms-version` that accepts a bearer token.
const BEARER_SINCE: &str = "2017-11-09";

/// A request to a storage account, by its path and query.
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

    pub(crate) fn invocation(&self) -> Invocation {
        let (operation, resource) = match &self.kind {
            Kind::Containers => (Operation::ContainerList, self.account.clone()),
            Kind::Blobs(container) => {
                (Operation::BlobList, format!("{}/{container}", self.account))
            }
            Kind::Other => (Operation::BlobOther, self.account.clone()),
        };
        Invocation {
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
        return xml::error(StatusCode::NOT_FOUND, "ResourceNotFound", &text).into();
    };
    let own = format!("https://{}{BLOB_SUFFIX}", route.account);
    let caller = shared.token_issuer.caller(
        request,
        &state.tenant,
        &[RESOURCE, &own],
        shared.clock.epoch(),
    );
    let (reply, principal) = match caller {
        Ok(caller) => (
            list(shared, &state, request, route, account, &caller),
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
    Answer {
        principal,
        ..reply.into()
    }
}

fn list(
    shared: &Shared,
    state: &State,
    request: &Request,
    route: &Route,
    account: &DataStore<StorageAccount>,
    caller: &Caller,
) -> Reply {
    if request
        .header("x-ms-version")
        .is_none_or(|v| v < BEARER_SINCE)
    {
        let text = format!("A bearer token needs x-ms-version {BEARER_SINCE} or later.");
        return xml::error(StatusCode::BAD_REQUEST, "InvalidHeaderValue", &text);
    }
    let Some(page) = Page::of(request) else {
        let text = "The value of maxresults is outside the permitted range.";
        return xml::error(
            StatusCode::BAD_REQUEST,
            "OutOfRangeQueryParameterValue",
            text,
        );
    };
    let id = account.id.path();
    let (operation, need, scope) = match &route.kind {
        Kind::Containers => (
            Operation::ContainerList,
            (Plane::Control, LIST_CONTAINERS),
            id,
        ),
        Kind::Blobs(name) => (
            Operation::BlobList,
            (Plane::Data, LIST_BLOBS),
            format!("{id}/blobServices/default/containers/{name}"),
        ),
        Kind::Other => {
            let text = "azure-sim simulates listing containers and blobs and nothing else.";
            return xml::error(StatusCode::NOT_IMPLEMENTED, "NotSimulated", text);
        }
    };
    if !is_allowed(shared, state, operation, &caller.oid, need, &scope) {
        return permission_mismatch();
    }
    let stamp = http_time(shared.clock.now());
    match &route.kind {
        Kind::Blobs(name) => list_blobs(account, &route.account, name, &page, &stamp),
        _ => list_containers(account, &route.account, &page, &stamp),
    }
}

fn list_containers(
    account: &DataStore<StorageAccount>,
    name: &str,
    page: &Page<'_>,
    stamp: &str,
) -> Reply {
    let names = account.content.containers.keys().map(String::as_str);
    let items = names.map(|n| (n, xml::container(n, stamp))).collect();
    xml::list(name, None, "Containers", items, page)
}

fn list_blobs(
    account: &DataStore<StorageAccount>,
    name: &str,
    container: &str,
    page: &Page<'_>,
    stamp: &str,
) -> Reply {
    let Some(blobs) = account.content.containers.get(container) else {
        return xml::error(
            StatusCode::NOT_FOUND,
            "ContainerNotFound",
            "The specified container does not exist.",
        );
    };
    let items = blobs.iter().map(|b| (b.name.as_str(), xml::blob(b, stamp)));
    xml::list(name, Some(container), "Blobs", items.collect(), page)
}

fn challenge(refused: &TokenError, tenant: &str) -> Reply {
    let code = match refused {
        TokenError::Missing => "NoAuthenticationInformation",
        _ => "InvalidAuthenticationInfo",
    };
    let text = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    let challenge = format!(
        "Bearer authorization_uri=https://{ENTRA_HOST}/{tenant}/oauth2/authorize resource_id={RESOURCE}"
    );
    xml::error(StatusCode::UNAUTHORIZED, code, text).with("www-authenticate", challenge)
}

fn permission_mismatch() -> Reply {
    xml::error(
        StatusCode::FORBIDDEN,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )
}
