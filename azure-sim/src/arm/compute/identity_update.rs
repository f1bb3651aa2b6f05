//! The `identity` block of a request, parsed. Whether its identities exist is checked later.

use serde_json::Value;

use crate::arm::error::{ArmError, Result};
use crate::ids::{ResourceId, USER_ASSIGNED_IDENTITIES};

/// Largest number of identities in one request.
const LIMIT: usize = 150;

/// How a request changes the identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdentityUpdate {
    /// Whether the type includes `SystemAssigned`.
    pub(super) system_assigned: bool,
    /// Whether the type includes `UserAssigned`.
    pub(super) user_assigned: bool,
    pub(super) add: Vec<ResourceId>,
    pub(super) remove: Vec<ResourceId>,
}

/// Why a block is refused. Some refusals come from the managed identity service and are wrapped.
#[derive(Debug)]
pub(super) enum Refusal {
    Direct(ArmError),
    /// The text of the inner error of `FailedIdentityOperation`.
    Inner(String),
}

impl From<ArmError> for Refusal {
    fn from(error: ArmError) -> Self {
        Self::Direct(error)
    }
}

impl IdentityUpdate {
    pub(super) fn parse(identity: &Value) -> std::result::Result<Self, Refusal> {
        let (system_assigned, user_assigned) = types(identity)?;
        let mut update = Self {
            system_assigned,
            user_assigned,
            add: Vec::new(),
            remove: Vec::new(),
        };
        let entries = match &identity["userAssignedIdentities"] {
            Value::Null => return Ok(update),
            Value::Object(entries) => entries,
            _ => {
                return Err(invalid_content("userAssignedIdentities is no map").into());
            }
        };
        if entries.len() > LIMIT {
            return Err(Refusal::Inner(format!(
                "User Assigned Identities Number '{}' Assign exceed limit '{LIMIT}' in one request.",
                entries.len(),
            )));
        }
        for (id, value) in entries {
            update.add_entry(id, value)?;
        }
        if !user_assigned && !update.add.is_empty() {
            return Err(Refusal::Inner(
                "a non-UserAssigned identity type should not contain: userAssignedIdentities"
                    .into(),
            ));
        }
        Ok(update)
    }

    /// An empty object assigns an identity, `null` removes it.
    fn add_entry(&mut self, id: &str, value: &Value) -> std::result::Result<(), Refusal> {
        let id = ResourceId::parse(id, USER_ASSIGNED_IDENTITIES).ok_or_else(|| malformed(id))?;
        match value {
            Value::Null => self.remove.push(id),
            Value::Object(values) if values.is_empty() => self.add.push(id),
            Value::Object(_) => return Err(non_empty_value(&id).into()),
            _ => {
                let problem = "an entry of userAssignedIdentities is no object";
                return Err(invalid_content(problem).into());
            }
        }
        Ok(())
    }
}

/// Parses the type, such as `SystemAssigned, UserAssigned`, in any letter case, with or without
/// spaces: whether it includes `SystemAssigned`, and whether `UserAssigned`.
fn types(identity: &Value) -> Result<(bool, bool)> {
    let Value::String(text) = &identity["type"] else {
        return Err(invalid_content("the identity has no type"));
    };
    let words: Vec<_> = text.split(',').map(|w| w.trim().to_lowercase()).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["none"] => Ok((false, false)),
        ["systemassigned"] => Ok((true, false)),
        ["userassigned"] => Ok((false, true)),
        ["systemassigned", "userassigned"] | ["userassigned", "systemassigned"] => Ok((true, true)),
        _ => Err(invalid_content(&format!("'{text}' is no identity type"))),
    }
}

fn invalid_content(problem: &str) -> ArmError {
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

fn non_empty_value(id: &ResourceId) -> ArmError {
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

    fn parse(identity: Value) -> std::result::Result<IdentityUpdate, String> {
        IdentityUpdate::parse(&identity).map_err(|refusal| match refusal {
            Refusal::Direct(error) => error.code.to_owned(),
            Refusal::Inner(text) => text,
        })
    }

    #[test]
    fn types_are_parsed_in_any_letter_case() {
        for typ in [
            "SystemAssigned, UserAssigned",
            "systemassigned,userassigned",
            "UserAssigned ,SystemAssigned",
        ] {
            let update = parse(json!({"type": typ})).unwrap();
            assert!(update.system_assigned && update.user_assigned, "{typ}");
        }
        assert_eq!(
            parse(json!({"type": "Everything"})),
            Err("InvalidRequestContent".into())
        );
        assert_eq!(parse(json!({})), Err("InvalidRequestContent".into()));
    }

    #[test]
    fn an_empty_object_adds_and_null_removes() {
        let two = ID.replace("one", "two");
        let update =
            parse(json!({"type": "UserAssigned", "userAssignedIdentities": {ID: {}, two: null}}))
                .unwrap();
        assert_eq!(update.add[0].name, "one");
        assert_eq!(update.remove[0].name, "two");
    }

    #[test]
    fn what_azure_refuses_is_refused_by_its_code() {
        let block = |typ: &str, id: &str, value: Value| {
            parse(json!({"type": typ, "userAssignedIdentities": {id: value}}))
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
            parse(json!({"type": "UserAssigned", "userAssignedIdentities": map}))
        };
        assert!(many(150).is_ok());
        assert!(many(151).is_err_and(|e| e.contains("Number '151' Assign exceed limit '150'")));
    }
}
