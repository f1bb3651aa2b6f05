//! For whom a request is: its `Host`, and the target of one that is written as to a proxy.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::header::{HOST, HeaderMap};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Uri, Version};

use crate::answer::ErrorAnswer;

/// Accepts exactly one `Host` (RFC 9112, section 3.2) that [`may_be_this_service`]: with two, whoever passed the
/// request on may have read another one than is read here. Only clients older than HTTP/1.1 may leave it out.
pub(super) fn check_host(version: Version, headers: &HeaderMap) -> Result<(), ErrorAnswer> {
    let mut given = headers.get_all(HOST).iter();
    let valid = match (given.next(), given.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(host), None) => host.to_str().is_ok_and(may_be_this_service),
        (Some(_), Some(_)) => false,
    };
    if valid {
        return Ok(());
    }
    Err(ErrorAnswer::invalid(
        "The Host header is missing, malformed, given twice, or a name of the public DNS",
    )
    .closing())
}

/// Accepts a path, and the whole URL that a client writes to a proxy, by which the `Host` does not count.
pub(super) fn check_target(target: &Uri) -> Result<(), ErrorAnswer> {
    let valid = match (target.scheme(), target.authority()) {
        (None, None) => target.path().starts_with('/'),
        (Some(scheme), Some(authority)) => {
            *scheme == Scheme::HTTP && may_be_this_service(authority.as_str())
        }
        _ => false,
    };
    match valid {
        true => Ok(()),
        false => Err(ErrorAnswer::invalid("Invalid request").closing()),
    }
}

/// Whether this names a host that no stranger can have: an address, or a name without a dot. A web page can have its
/// own name resolve to the service's address (DNS rebinding); its scripts then send what they like, the header
/// `Metadata` too, but always with that name, and no name of the public DNS is without a dot.
fn may_be_this_service(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let port = text.strip_prefix(host);
    let port_is_number =
        port.is_some_and(|port| matches!(port, "" | ":") || authority.port_u16().is_some());
    // A comma shows that somebody has joined two headers to one.
    let is_name = || !host.is_empty() && !host.contains(['.', ',', '[']);
    port_is_number && (is_address(host) || is_name())
}

fn is_address(host: &str) -> bool {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}
