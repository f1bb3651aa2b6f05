//! Names of objects and namespaces, as the API server takes them.

use serde_json::Value;

use super::finding::Finding;
use super::json::text;

const NAME_MAX: usize = 253;
const NAMESPACE_MAX: usize = 63;

/// What is wrong with `metadata.name` and `metadata.namespace` of an object of this scope.
pub(super) fn findings(object: &Value, scope: &Value) -> Vec<Finding> {
    let metadata = &object["metadata"];
    let mut findings = Vec::new();
    let name = text(metadata, "name");
    if name.is_empty() {
        findings.push(Finding::new("metadata.name", "is required"));
    } else if name.len() > NAME_MAX || !name.split('.').all(is_label) {
        let message = format!(
            "{name:?} is not a name: use lower-case letters, digits, '-' and '.', at most \
             {NAME_MAX} characters, with a letter or digit at each end and around each '.'"
        );
        findings.push(Finding::new("metadata.name", message));
    }
    let namespace = text(metadata, "namespace");
    if scope == "Cluster" && !namespace.is_empty() {
        let message = format!("{} objects live in no namespace", text(object, "kind"));
        findings.push(Finding::new("metadata.namespace", message));
    } else if !namespace.is_empty() && (namespace.len() > NAMESPACE_MAX || !is_label(namespace)) {
        let message = format!(
            "{namespace:?} is not a namespace: use lower-case letters, digits and '-', at most \
             {NAMESPACE_MAX} characters, with a letter or digit at each end"
        );
        findings.push(Finding::new("metadata.namespace", message));
    }
    findings
}

/// RFC 1123: lower-case alphanumeric at both ends, `-` between.
fn is_label(text: &str) -> bool {
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = (text.bytes().next(), text.bytes().next_back());
    matches!(ends, (Some(first), Some(last)) if alphanumeric(first) && alphanumeric(last))
        && text.bytes().all(|c| alphanumeric(c) || c == b'-')
}
