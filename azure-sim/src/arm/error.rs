//! ARM's errors.

use http::StatusCode;
use serde_json::{Value, json};

use crate::message::Reply;

/// An error of ARM's. Clients go by status and code. The messages are Azure's where these are known.
#[derive(Clone, Debug)]
pub(crate) struct ArmError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    message: String,
    target: Option<String>,
    headers: Vec<(&'static str, String)>,
}

pub(crate) type Result<T> = std::result::Result<T, ArmError>;

impl ArmError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            target: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// A resource that does not exist, with the message that ARM uses for all types.
    pub(crate) fn resource_not_found(kind: &str, name: &str, group: &str) -> Self {
        Self::not_found(
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For \
                 more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// The caller's roles do not allow the action.
    pub(crate) fn forbidden(client: &str, object: &str, action: &str, scope: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{client}' with object id '{object}' does not have authorization to \
                 perform action '{action}' over scope '{scope}' or the scope is invalid. If access \
                 was recently granted, please refresh your credentials."
            ),
        )
    }

    /// The caller's roles have the action, but no condition on them allows it here.
    pub(crate) fn condition_not_fulfilled(
        client: &str,
        object: &str,
        action: &str,
        scope: &str,
    ) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{client}' with object id '{object}' has an authorization with ABAC \
                 condition that is not fulfilled to perform action '{action}' over scope '{scope}' \
                 or the scope is invalid. If access was recently granted, please refresh your \
                 credentials."
            ),
        )
    }

    /// A feature of Azure that the simulator does not have.
    pub(crate) fn not_simulated(what: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotSimulated",
            format!("azure-sim does not simulate {what}."),
        )
    }

    pub(crate) fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(target) = &self.target {
            error["target"] = Value::String(target.clone());
        }
        let reply = Reply::json(self.status, &json!({"error": error}));
        self.headers
            .iter()
            .fold(reply, |reply, (name, value)| reply.with(name, value))
    }
}
