//! The XML of Blob Storage.

use std::fmt::Write as _;

use http::StatusCode;

use super::page::Page;
use crate::host_names::BLOB_SUFFIX;
use crate::message::Reply;
use crate::seed::Blob;

/// One page of names and their XML. The marker is the name of the first item of the next page.
pub(super) fn list(
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

pub(super) fn container(name: &str, stamp: &str) -> String {
    format!(
        "<Container><Name>{}</Name><Properties><Last-Modified>{stamp}</Last-Modified>\
         <Etag>\"0x1\"</Etag><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
         <HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>\
         </Properties></Container>",
        escape(name),
    )
}

pub(super) fn blob(item: &Blob, stamp: &str) -> String {
    format!(
        "<Blob><Name>{}</Name><Properties><Last-Modified>{stamp}</Last-Modified><Etag>0x1</Etag>\
         <Content-Length>{}</Content-Length><Content-Type>application/octet-stream</Content-Type>\
         <BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus>\
         <LeaseState>available</LeaseState></Properties></Blob>",
        escape(&item.name),
        item.size,
    )
}

pub(super) fn error(status: StatusCode, code: &str, text: &str) -> Reply {
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
