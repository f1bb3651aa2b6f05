use std::{fmt, time::Duration};

use serde_json::Value;

use crate::IdentityId;
use crate::entra_text::without_trace;

/// Longest message kept. Azure's texts are shorter; a proxy's error page may not be.
const MAX_MESSAGE: usize = 2_000;

/// An error answer of ARM or Entra.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// ARM's code, or `AADSTS` and Entra's number. Empty if the body had none.
    pub code: String,
    /// Text for people. It changes without notice: never decide on it.
    pub message: String,
    /// ARM's inner errors.
    pub details: Vec<ReplyDetail>,
    /// How long Azure asked to wait.
    pub retry_after: Option<Duration>,
    /// Azure's id of the request, for its support.
    pub request_id: Option<String>,
}

/// One of ARM's inner errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyDetail {
    /// Its code.
    pub code: String,
    /// Its text.
    pub message: String,
}

impl Reply {
    /// An answer with a code, as a fake of the traits would give it.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Reads an ARM error: in the envelope `error`, or without it, as some front doors and
    /// asynchronous operations write it. Any other body (HTML of a gateway) is kept as text.
    pub(crate) fn from_arm(status: u16, body: &[u8]) -> Self {
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return Self::from_text(status, body);
        };
        let error = json
            .get("error")
            .filter(|error| error.is_object())
            .unwrap_or(&json);
        let details = error
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Self {
            details: details
                .map(|detail| ReplyDetail {
                    code: text(detail, "code"),
                    message: text(detail, "message"),
                })
                .collect(),
            ..Self::new(status, text(error, "code"), text(error, "message"))
        }
    }

    /// Reads an OAuth error as Entra and IMDS write it. The first of Entra's numbers is the code.
    pub(crate) fn from_oauth(status: u16, body: &[u8]) -> Self {
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return Self::from_text(status, body);
        };
        let number = json["error_codes"].get(0).and_then(Value::as_u64);
        let code = number.map_or_else(|| text(&json, "error"), |n| format!("AADSTS{n}"));
        let description = text(&json, "error_description");
        let trace_id = json
            .get("trace_id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Self {
            request_id: trace_id,
            ..Self::new(status, code, without_trace(&description))
        }
    }

    fn from_text(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let words: Vec<&str> = text.split_whitespace().collect();
        Self::new(status, "", words.join(" "))
    }

    /// The user-assigned identities named in the text and the details.
    pub(crate) fn named_identities(&self) -> Vec<IdentityId> {
        let texts = self.details.iter().map(|detail| detail.message.as_str());
        let mut found = Vec::new();
        for id in std::iter::once(self.message.as_str())
            .chain(texts)
            .flat_map(identities_in)
        {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        found
    }
}

fn text(object: &Value, key: &str) -> String {
    object
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Finds ids in running text, where quotes, commas, blanks and JSON surround them.
fn identities_in(text: &str) -> Vec<IdentityId> {
    let folded = text.to_ascii_lowercase();
    let starts = folded.match_indices("/subscriptions/").map(|(at, _)| at);
    starts.filter_map(|at| identity_at(&text[at..])).collect()
}

fn identity_at(text: &str) -> Option<IdentityId> {
    let segments: Vec<&str> = text.splitn(10, '/').take(9).collect();
    let (name, head) = segments.split_last()?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let name = &name[..end.unwrap_or(name.len())];
    format!("{}/{name}", head.join("/")).parse().ok()
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            let end = self
                .message
                .char_indices()
                .nth(MAX_MESSAGE)
                .map(|(at, _)| at);
            write!(
                f,
                ": {}",
                &self.message[..end.unwrap_or(self.message.len())]
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Reply;
    use crate::IdentityId;

    #[test]
    fn the_envelope_is_read_with_and_without_its_outer_error() {
        let inner = r#"{"code":"ResourceNotFound","message":"gone","details":[{"code":"X"}]}"#;
        let bare = Reply::from_arm(404, inner.as_bytes());
        let wrapped = Reply::from_arm(404, format!(r#"{{"error":{inner}}}"#).as_bytes());
        assert_eq!(bare, wrapped);
        assert_eq!(bare.to_string(), "404 ResourceNotFound: gone");
        assert_eq!(bare.details[0].code, "X");
    }

    #[test]
    fn other_bodies_are_kept_as_text() {
        let html = "<html>\r\n <head><title>502 Bad Gateway</title>\r\n</head></html>";
        let reply = Reply::from_arm(502, html.as_bytes());
        assert_eq!((reply.status, reply.code.as_str()), (502, ""));
        assert!(
            reply
                .message
                .contains("<title>502 Bad Gateway</title> </head>")
        );
        for body in [&b""[..], b"[]", b"null", b"{\"error\":7}", b"\xff\xfe"] {
            assert_eq!(Reply::from_arm(500, body).code, "", "{body:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let shown = Reply::new(500, "", "ü".repeat(5_000)).to_string();
        assert_eq!(shown.chars().count(), super::MAX_MESSAGE + "500: ".len());
    }

    #[test]
    fn entra_errors_are_known_by_their_number() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS700213: No matching
            federated identity record.\r\nTrace ID: 1 Correlation ID: 2","error_codes":[700213],
            "trace_id":"t"}"#
            .replace('\n', " ");
        let reply = Reply::from_oauth(401, body.as_bytes());
        assert_eq!(reply.code, "AADSTS700213");
        assert!(reply.message.ends_with("record."), "{}", reply.message);
        assert_eq!(reply.request_id.as_deref(), Some("t"));
    }

    #[test]
    fn identities_are_found_in_the_texts_of_compute() {
        let id = |name| IdentityId::new("s1", "rg.(a)", name);
        let linked = format!(
            "… over linked scope(s) '{},{}' or the linked scope(s) are invalid.",
            id("one").to_string().to_lowercase(),
            id("two")
        );
        let failed = format!(
            "Identity operation for resource '/subscriptions/s1/resourceGroups/rg/providers/\
             Microsoft.Compute/virtualMachineScaleSets/pool' failed. Status: 'BadRequest'. \
             Response: '{{\"error\":{{\"message\":\"Resource '{}' was not found.\"}}}}'",
            id("one")
        );
        let named = |text: &str| Reply::new(400, "", text).named_identities();
        assert_eq!(named(&linked), [id("one"), id("two")]);
        assert_eq!(named(&failed), [id("one")]);
        assert!(named("/subscriptions//subscriptions/é").is_empty());
    }
}
