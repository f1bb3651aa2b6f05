//! The `identity` block of a request: what it says, before anything is looked up.

use serde_json::Value;

use crate::arm::error::{ArmError, Result};
use crate::state::ids::{IDENTITIES, ResourceId};

/// Identities one request may add or remove.
const LIMIT: usize = 150;

/// What a request wants of the identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The system-assigned identity shall be on.
    pub(super) system: bool,
    /// User-assigned identities may be on.
    pub(super) user: bool,
    pub(super) add: Vec<ResourceId>,
    pub(super) remove: Vec<ResourceId>,
}

/// Why a block is refused; some refusals come from deep inside and are wrapped.
#[derive(Debug)]
pub(super) enum Refusal {
    Plain(ArmError),
    /// The text of the inner error of `FailedIdentityOperation`.
    Inner(String),
}

impl From<ArmError> for Refusal {
    fn from(error: ArmError) -> Self {
        Self::Plain(error)
    }
}

impl Asked {
    pub(super) fn read(identity: &Value) -> std::result::Result<Self, Refusal> {
        let (system, user) = types(identity)?;
        let mut asked = Self {
            system,
            user,
            add: Vec::new(),
            remove: Vec::new(),
        };
        let entries = match &identity["userAssignedIdentities"] {
            Value::Null => return Ok(asked),
            Value::Object(entries) => entries,
            _ => {
                return Err(content("userAssignedIdentities is no map").into());
            }
        };
        if entries.len() > LIMIT {
            return Err(Refusal::Inner(format!(
                "User Assigned Identities Number '{}' Assign exceed limit '{LIMIT}' in one request.",
                entries.len(),
            )));
        }
        for (id, value) in entries {
            let id = ResourceId::parse(id, IDENTITIES).ok_or_else(|| malformed(id))?;
            match value {
                Value::Null => asked.remove.push(id),
                Value::Object(values) if values.is_empty() => asked.add.push(id),
                Value::Object(_) => return Err(echoed(&id).into()),
                _ => return Err(content("an entry of userAssignedIdentities is no object").into()),
            }
        }
        if !user && !asked.add.is_empty() {
            return Err(Refusal::Inner(
                "a non-UserAssigned identity type should not contain: userAssignedIdentities"
                    .into(),
            ));
        }
        Ok(asked)
    }
}

/// Reads `SystemAssigned, UserAssigned` in any letter case, with or without blanks.
fn types(identity: &Value) -> Result<(bool, bool)> {
    let Value::String(text) = &identity["type"] else {
        return Err(content("the identity has no type"));
    };
    let words: Vec<_> = text.split(',').map(|w| w.trim().to_lowercase()).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["none"] => Ok((false, false)),
        ["systemassigned"] => Ok((true, false)),
        ["userassigned"] => Ok((false, true)),
        ["systemassigned", "userassigned"] | ["userassigned", "systemassigned"] => Ok((true, true)),
        _ => Err(content(&format!("'{text}' is no identity type"))),
    }
}

fn content(problem: &str) -> ArmError {
    ArmError::bad_request(
        "InvalidRequestContent",
        format!("The request content was invalid: {problem}."),
    )
}

fn malformed(id: &str) -> ArmError {
    ArmError::bad_request(
        "InvalidParameter",
        format!("'{id}' is not the id of a user-assigned identity."),
    )
    .at("resourceIdentity.identityIds")
}

fn echoed(id: &ResourceId) -> ArmError {
    ArmError::bad_request(
        "InvalidIdentityValues",
        format!(
            "Invalid value for the identities '{}'. The 'UserAssignedIdentities' property keys \
             should only be empty json objects, null or the resource exisiting property.",
            id.path(),
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one";

    fn read(identity: Value) -> std::result::Result<Asked, String> {
        Asked::read(&identity).map_err(|refusal| match refusal {
            Refusal::Plain(error) => error.code.to_owned(),
            Refusal::Inner(text) => text,
        })
    }

    #[test]
    fn types_are_read_in_any_spelling() {
        for typ in [
            "SystemAssigned, UserAssigned",
            "systemassigned,userassigned",
            "UserAssigned ,SystemAssigned",
        ] {
            let asked = read(json!({"type": typ})).unwrap();
            assert!(asked.system && asked.user, "{typ}");
        }
        assert_eq!(
            read(json!({"type": "Everything"})),
            Err("InvalidRequestContent".into())
        );
        assert_eq!(read(json!({})), Err("InvalidRequestContent".into()));
    }

    #[test]
    fn an_empty_object_adds_and_null_removes() {
        let two = ID.replace("one", "two");
        let asked =
            read(json!({"type": "UserAssigned", "userAssignedIdentities": {ID: {}, two: null}}))
                .unwrap();
        assert_eq!(asked.add[0].name, "one");
        assert_eq!(asked.remove[0].name, "two");
    }

    #[test]
    fn what_azure_refuses_is_refused_by_its_code() {
        let block = |typ: &str, id: &str, value: Value| {
            read(json!({"type": typ, "userAssignedIdentities": {id: value}}))
        };
        assert_eq!(
            block("UserAssigned", "/subscriptions/s", json!({})),
            Err("InvalidParameter".into())
        );
        assert_eq!(
            block("UserAssigned", ID, json!({"clientId": "x"})),
            Err("InvalidIdentityValues".into())
        );
        assert!(
            block("SystemAssigned", ID, json!({}))
                .is_err_and(|e| e.starts_with("a non-UserAssigned"))
        );
        assert!(block("None", ID, Value::Null).is_ok());
    }

    #[test]
    fn a_request_holds_at_most_150() {
        let many = |n: usize| {
            let map: serde_json::Map<_, _> =
                (0..n).map(|i| (format!("{ID}{i}"), json!({}))).collect();
            read(json!({"type": "UserAssigned", "userAssignedIdentities": map}))
        };
        assert!(many(150).is_ok());
        assert!(many(151).is_err_and(|e| e.contains("Number '151' Assign exceed limit '150'")));
    }
}
