use std::fmt;

use serde::Serialize;

/// The authority of the public cloud, which is meant where an AzureIdentity names none.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// Longest name of a host (RFC 1035).
const HOST_MAX: usize = 253;

/// Where Entra is, as `https://host` or `https://host:port` in lower case. Nothing else can be one: no user, path or
/// query, so that two that are equal lead to the same place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Authority(String);

impl Authority {
    /// Reads an address; a slash may follow.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let rest = text.strip_prefix("https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, Some(read_port(port)?)),
            None => (rest, None),
        };
        is_host(host).then(|| match port {
            None | Some(443) => Self(format!("https://{host}")),
            Some(port) => Self(format!("https://{host}:{port}")),
        })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn read_port(text: &str) -> Option<u16> {
    // `parse` would take a sign as well.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= HOST_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_one_form() {
        for text in [
            "https://login.example",
            "https://login.example/",
            " HTTPS://Login.Example:443/ ",
        ] {
            let authority = Authority::parse(text).map(|one| one.to_string());
            assert_eq!(
                authority.as_deref(),
                Some("https://login.example"),
                "{text}"
            );
        }
        let other = Authority::parse("https://127.0.0.1:8443").unwrap();
        assert_eq!(other.as_str(), "https://127.0.0.1:8443");
        assert_eq!(
            Authority::parse(PUBLIC_AUTHORITY).unwrap().as_str(),
            PUBLIC_AUTHORITY
        );
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_none() {
        for text in [
            "",
            "http://login.example",
            "login.example",
            "https://",
            "https:///",
            "https://login.example//",
            "https://login.example/tenant",
            "https://login.example?x",
            "https://login.example#x",
            "https://login.example\\@evil.example",
            "https://login.example@evil.example",
            "https://user:1@evil.example",
            "https://login.example:0",
            "https://login.example:+1",
            "https://login.example:65536",
            "https://login.example:",
            "https://.login.example",
            "https://login..example",
            "https://-a.example",
            "https://log\tin.example",
            "https://ⅼogin.example",
            "https://[::1]",
        ] {
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
    }
}
