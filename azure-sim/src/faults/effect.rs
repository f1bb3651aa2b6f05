//! What a fault does to a call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::Reply;

/// What happens to a call that a fault applies to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Effect {
    /// This answer instead of the service's. The service does not see the call.
    Respond {
        /// HTTP status.
        status: u16,
        /// Headers of the answer.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// JSON. A string is sent as it is, as HTML unless a header says otherwise. Absent: an empty
        /// body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// The service's answer, later.
    Delay {
        /// Azure's seconds before the service sees the call.
        seconds: f64,
    },
    /// The connection is closed without an answer. The service does not see the call.
    Drop,
    /// The service's answer, changed.
    Alter {
        /// Another status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// Headers set or replaced.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// Merged into a JSON body: objects by key, `null` removes (RFC 7386).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        merge: Option<Value>,
    },
    /// The course of the asynchronous operation that a PATCH or PUT of a VM or scale set starts.
    Async {
        /// Polls answered `InProgress` before the outcome.
        polls: u32,
        /// Azure's seconds of each `Retry-After`.
        retry_after: f64,
        /// How the operation ends.
        #[serde(default)]
        outcome: Outcome,
        /// Error code of a failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Replication lag: what was just written is not visible to the call yet. Reads answer 404, role
    /// assignments `PrincipalNotFound`, IMDS `Identity not found`, a token exchange AADSTS700213,
    /// vault and storage 403. The lag ends when either limit is reached, and never without a limit.
    /// The `resource` of a fault on `imds.token` may be part of a VM's id or of an identity's id.
    Lag {
        /// Azure's seconds since the write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// Number of calls since the write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<u64>,
        /// Does not apply to role assignments with a `principalType`: Azure accepts most of those.
        #[serde(default)]
        spare_typed: bool,
    },
}

/// How an asynchronous operation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The change stays.
    #[default]
    Succeeded,
    /// The change is undone.
    Failed,
    /// The change is undone.
    Canceled,
}

impl Outcome {
    /// The `status` of the operation.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

/// The answer of [`Effect::Respond`].
pub(crate) fn respond(
    status: u16,
    headers: &BTreeMap<String, String>,
    body: Option<&Value>,
) -> Reply {
    let status =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let reply = match body {
        None => Reply::empty(status),
        Some(Value::String(text)) => Reply::text(status, "text/html; charset=utf-8", text.clone()),
        Some(json) => Reply::json(status, json),
    };
    headers
        .iter()
        .fold(reply, |reply, (name, value)| reply.with(name, value))
}

/// The answer of [`Effect::Alter`].
pub(crate) fn alter(
    mut reply: Reply,
    status: Option<u16>,
    headers: &BTreeMap<String, String>,
    patch: Option<&Value>,
) -> Reply {
    if let Some(patch) = patch {
        let mut body = reply.value();
        merge(&mut body, patch);
        reply = Reply {
            headers: reply.headers,
            ..Reply::json(reply.status, &body)
        };
    }
    if let Some(status) = status.and_then(|s| http::StatusCode::from_u16(s).ok()) {
        reply.status = status;
    }
    headers
        .iter()
        .fold(reply, |reply, (name, value)| reply.with(name, value))
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_is_rfc_7386() {
        let mut body = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut body, &json!({"a": {"b": null, "e": 3}, "d": "x"}));
        assert_eq!(body, json!({"a": {"c": 2, "e": 3}, "d": "x"}));
    }

    #[test]
    fn an_altered_answer_keeps_what_the_patch_does_not_name() {
        let reply = Reply::json(
            http::StatusCode::OK,
            &json!({"expires_in": "86399", "x": 1}),
        );
        let altered = alter(
            reply,
            None,
            &BTreeMap::new(),
            Some(&json!({"expires_in": "60"})),
        );
        assert_eq!(altered.value(), json!({"expires_in": "60", "x": 1}));
    }
}
