//! Where images are pushed to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use oci_client::Reference;

/// A registry and the beginning of the names of repositories there, as `registry.example.com/team`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Host, and port if it has one.
    registry: String,
    /// Without a `/` at its ends; empty where the registry has the images at its root.
    prefix: String,
}

/// Why a text names no place for images.
#[derive(Debug, PartialEq, Eq)]
pub struct DestinationError(&'static str);

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; write REGISTRY/PREFIX, as registry.example.com/team",
            self.0
        )
    }
}

impl std::error::Error for DestinationError {}

impl Destination {
    /// The registry, as messages and credentials name it.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Whether the registry is on this computer.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self
            .registry
            .rsplit_once(':')
            .map_or(&*self.registry, |(host, _)| host);
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// The repository of the image called `name`.
    pub(crate) fn repository(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.prefix)
        }
    }

    /// The image called `name` with `tag`.
    pub(crate) fn image(&self, name: &str, tag: &str) -> Reference {
        Reference::with_tag(self.registry.clone(), self.repository(name), tag.to_owned())
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err(DestinationError("a registry is named without https://"));
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        let (registry, prefix) = text.split_once('/').unwrap_or((text, ""));
        // Docker's rule: `team/podid` would be a repository of Docker Hub.
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(DestinationError(
                "the first part is no registry's host name",
            ));
        }
        let destination = Self {
            registry: registry.to_owned(),
            prefix: prefix.to_owned(),
        };
        // Only the specification's own grammar knows all that may be wrong. An address of IPv6 is the
        // one host that its reader does not take.
        let checked = if registry.starts_with('[') {
            "localhost"
        } else {
            registry
        };
        let name = format!("{checked}/{}:tag", destination.repository("podid"));
        match Reference::try_from(name.as_str()) {
            Ok(read) if read.repository() == destination.repository("podid") => Ok(destination),
            _ => Err(DestinationError(
                "a name has lower-case letters, digits and single `.`, `_`, `-`, and no tag",
            )),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.registry)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Destination, DestinationError> {
        text.parse()
    }

    #[test]
    fn a_destination_is_a_registry_and_a_prefix() {
        for (text, repository) in [
            ("registry.example.com/team", "team/podid"),
            ("registry.example.com/a/b/", "a/b/podid"),
            ("registry.example.com", "podid"),
            ("127.0.0.1:5000", "podid"),
            ("localhost/x", "x/podid"),
            ("[::1]:5000/x", "x/podid"),
        ] {
            let destination = read(text).unwrap();
            assert_eq!(destination.repository("podid"), repository);
            assert_eq!(destination.to_string(), text.trim_end_matches('/'));
        }
        let image = read("r.example:5000/x").unwrap().image("podid", "1");
        assert_eq!(image.to_string(), "r.example:5000/x/podid:1");
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "/",
            "team/podid",
            "https://registry.example.com/team",
            "registry.example.com/Team",
            "registry.example.com/team:1",
            "registry.example.com/a//b",
            "registry.example.com/a b",
            "registry.example.com/a@sha256:0",
        ] {
            let said = read(text).map_err(|error| error.to_string());
            assert!(
                said.is_err_and(|said| said.contains("write REGISTRY/PREFIX")),
                "{text}"
            );
        }
    }

    #[test]
    fn only_this_computer_is_a_loopback() {
        for text in [
            "localhost:5000",
            "127.0.0.1:5000",
            "127.1.2.3/x",
            "[::1]:5000/x",
            "localhost",
        ] {
            assert!(read(text).unwrap().is_loopback(), "{text}");
        }
        for text in [
            "127.0.0.1.example.com",
            "10.0.0.1:5000",
            "localhost.example.com",
            "[2001:db8::1]:1",
        ] {
            assert!(!read(text).unwrap().is_loopback(), "{text}");
        }
    }
}
