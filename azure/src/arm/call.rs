//! One call: an operation and the id or scope it is about.

use super::Operation;
use crate::{AzureError, Result};

/// One call: what is tried, on what.
#[derive(Clone, Debug)]
pub(crate) struct CallContext {
    pub(crate) operation: Operation,
    pub(crate) resource: String,
}

impl CallContext {
    /// Names a call on a resource id or scope, refusing text that would become another URL.
    ///
    /// URL parsers resolve `..` (also written `%2e%2e`) and turn `\` into `/`: a scope such as
    /// `/subscriptions/mine/../theirs` must not pass a check of its beginning and then reach
    /// another place.
    pub(crate) fn new(operation: Operation, resource: impl ToString) -> Result<Self> {
        let resource = resource.to_string();
        let plain = resource.starts_with('/')
            && !resource.contains(['%', '?', '#', '\\'])
            && !resource.contains(char::is_control)
            && !resource
                .split('/')
                .any(|segment| segment == "." || segment == "..");
        if plain {
            Ok(Self {
                operation,
                resource,
            })
        } else {
            Err(AzureError::BadResource {
                operation,
                resource,
            })
        }
    }

    pub(crate) fn malformed(
        &self,
        what: impl Into<String>,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> AzureError {
        AzureError::Malformed {
            operation: self.operation,
            resource: self.resource.clone(),
            what: what.into(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_cannot_lead_elsewhere() {
        let call = |resource| CallContext::new(Operation::GetIdentity, resource);
        for good in [
            "/",
            "/subscriptions/a/resourceGroups/g.1_(x)-y",
            "/subscriptions/a/..b",
        ] {
            assert!(call(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "subscriptions/a",
            "/a/../b",
            "/a/%2e%2e/b",
            "/a\\..\\b",
            "/a?b",
            "/a#b",
            "/a\n",
        ] {
            assert!(call(bad).is_err(), "{bad}");
        }
    }
}
