//! Which answers of ARM mean that a resource does not exist.
//!
//! A 404 alone says nothing: a proxy, a firewall or a mistyped address answers with it too, and
//! to believe one of those would be to give up an identity that still exists. Gone is only what ARM
//! says is gone, by its own codes, of the very resource that was asked for.

use crate::{AzureError, Reply, Result};

/// Whether a deletion found something to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It was there and is gone.
    Removed,
    /// It was not there (ARM answers 204).
    Absent,
}

impl Deleted {
    /// Reads ARM's answer to a deletion: the status of a good one, which is 204 when there was
    /// nothing to delete, or an error, which may say that the group is gone as well.
    pub(crate) fn from_answer(answer: Result<u16>) -> Result<Self> {
        match answer {
            Ok(204) => Ok(Self::Absent),
            Ok(_) => Ok(Self::Removed),
            Err(error) if is_absent(&error) => Ok(Self::Absent),
            Err(error) => Err(error),
        }
    }
}

/// Whether ARM says that the resource of the call, or the group it would be in, does not exist.
/// A missing subscription is not included: its id may be mistyped, or the caller may lack access.
pub(crate) fn is_absent(error: &AzureError) -> bool {
    let AzureError::Refused {
        resource, reply, ..
    } = error
    else {
        return false;
    };
    reply.status == 404
        && match reply.code.as_str() {
            "ResourceNotFound" => names_one_of(reply, &resources(resource)),
            "ResourceGroupNotFound" => names_one_of(reply, &after(resource, "resourceGroups")),
            "RoleAssignmentNotFound" => names_one_of(reply, &after(resource, "roleAssignments")),
            _ => false,
        }
}

/// Whether ARM says that a subscription is not there, or that the caller may not see it.
pub(crate) fn is_absent_subscription(error: &AzureError) -> bool {
    error.status() == Some(404) && error.code() == Some("SubscriptionNotFound")
}

/// Whether the text is about one of `names`, none of which means that the code does not fit what
/// was asked for. Texts change, so one that quotes nothing is believed: the code stands. A text
/// that quotes other things only is about something else.
fn names_one_of(reply: &Reply, names: &[String]) -> bool {
    let text = reply.message.to_ascii_lowercase();
    let between_quotes: Vec<&str> = text.split(['\'', '"']).collect();
    let is_named = |name: &String| {
        let mut words = between_quotes.iter();
        words.any(|words| words.rsplit('/').next() == Some(name.as_str()))
    };
    !names.is_empty() && (between_quotes.len() == 1 || names.iter().any(is_named))
}

/// The segment after `word`, in lower case.
fn after(id: &str, word: &str) -> Vec<String> {
    let segments: Vec<&str> = id.split('/').collect();
    let pairs = segments.windows(2);
    pairs
        .filter(|pair| pair[0].eq_ignore_ascii_case(word))
        .map(|pair| pair[1].to_ascii_lowercase())
        .collect()
}

/// Names of the resources in an id, in lower case: of the one it ends in, and of those above it.
/// `…/providers/Microsoft.KeyVault/vaults/v/secrets/s` has `v` and `s`.
fn resources(id: &str) -> Vec<String> {
    let lower = id.to_ascii_lowercase();
    let parts = lower.split("/providers/").skip(1);
    parts
        .flat_map(|part| part.split('/').skip(2).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_absent;
    use crate::{AzureError, Operation, Reply};

    const GROUP: &str = "/subscriptions/s/resourceGroups/Apps";

    fn absent(resource: &str, status: u16, code: &str, text: &str) -> bool {
        let reply = Reply::new(status, code, text);
        is_absent(&AzureError::refused(
            Operation::GetIdentity,
            resource,
            reply,
        ))
    }

    #[test]
    fn only_arms_codes_about_this_very_resource_mean_that_it_is_gone() {
        let web = format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Web");
        let right = format!("{web}/providers/Microsoft.Authorization/roleAssignments/1-2");
        let of = |name: &str| {
            format!(
                "The Resource 'Microsoft.ManagedIdentity/userAssignedIdentities/{name}' under \
                 resource group 'apps' was not found."
            )
        };
        let group = |name: &str| format!("Resource group '{name}' could not be found.");
        for (resource, code, text) in [
            (&web, "ResourceNotFound", of("web")),
            (&web, "ResourceNotFound", String::new()),
            (&web, "ResourceGroupNotFound", group("apps")),
            (&right, "ResourceNotFound", of("web")),
            (
                &right,
                "RoleAssignmentNotFound",
                "'1-2' is not there".into(),
            ),
            (&GROUP.to_owned(), "ResourceGroupNotFound", group("APPS")),
        ] {
            assert!(absent(resource, 404, code, &text), "{code} {text}");
            assert!(!absent(resource, 400, code, &text), "400 {code} {text}");
        }
        for (resource, code, text) in [
            (&web, "", "<html>404 Not Found</html>".to_owned()),
            (&web, "NotFound", String::new()),
            (&web, "SubscriptionNotFound", String::new()),
            (&web, "InvalidResourceType", String::new()),
            (&web, "RoleAssignmentNotFound", String::new()),
            (&web, "ResourceNotFound", of("other")),
            (&web, "ResourceNotFound", of("web/x")),
            (&web, "ResourceNotFound", of("a-web")),
            (&web, "ResourceGroupNotFound", group("other")),
            (
                &right,
                "RoleAssignmentNotFound",
                "'3-4' is not there".into(),
            ),
            (&GROUP.to_owned(), "ResourceNotFound", of("apps")),
        ] {
            assert!(!absent(resource, 404, code, &text), "{code} {text}");
        }
    }
}
