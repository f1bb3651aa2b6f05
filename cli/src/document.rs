//! Objects as YAML documents.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// A manifest: the envelope, and what the author said. What was not said is left out, so that
/// the file holds decisions and not defaults.
pub(crate) fn manifest(
    api_version: &str,
    kind: &str,
    metadata: Value,
    spec: &impl Serialize,
    defaults: &[(&str, &str)],
) -> serde_json::Result<Value> {
    let mut spec = serde_json::to_value(spec)?;
    if let Some(fields) = spec.as_object_mut() {
        drop_defaults(fields, defaults);
    }
    Ok(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}))
}

fn drop_defaults(fields: &mut Map<String, Value>, defaults: &[(&str, &str)]) {
    fields.retain(|name, value| !defaults.contains(&(name.as_str(), value.as_str().unwrap_or(""))));
}
