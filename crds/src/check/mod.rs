//! Checks an object against its kind without an API server: the structure of the schema, the CEL
//! rules in it, and the names. An object without findings is accepted by the API server; the
//! cluster tests compare both.

mod finding;
mod json;
mod names;
mod structure;

use kube::core::cel::Validator;
use serde_json::Value;

pub use finding::Finding;
use json::text;

use crate::manifests::{self, ManifestError};

/// Everything wrong with `object`, which must be of one of our kinds; empty when nothing is.
///
/// # Errors
/// When the kinds themselves cannot be generated, which would be a mistake in the types.
pub fn object(object: &Value) -> Result<Vec<Finding>, ManifestError> {
    let (api_version, kind) = (text(object, "apiVersion"), text(object, "kind"));
    let definitions = manifests::finished_definitions()?;
    let Some((definition, schema)) = definitions
        .iter()
        .find_map(|definition| Some((definition, schema_of(definition, api_version, kind)?)))
    else {
        let message = format!("{kind:?} of {api_version:?} is not a kind of podid");
        return Ok(vec![Finding::new("kind", message)]);
    };

    let mut pruned = object.clone();
    drop_nulls(&mut pruned);
    let mut findings = names::findings(&pruned, &definition["spec"]["scope"]);
    findings.extend(structure::findings(&pruned, schema));
    if findings.is_empty() {
        // Rules are written for objects of the right structure only.
        findings.extend(rule_findings(&pruned, schema));
    }
    Ok(findings)
}

fn schema_of<'a>(definition: &'a Value, api_version: &str, kind: &str) -> Option<&'a Value> {
    let spec = &definition["spec"];
    let version = spec["versions"].as_array()?.iter().find(|version| {
        api_version == format!("{}/{}", text(spec, "group"), text(version, "name"))
    })?;
    (spec["names"]["kind"] == kind).then_some(&version["schema"]["openAPIV3Schema"])
}

fn rule_findings(object: &Value, schema: &Value) -> Vec<Finding> {
    match Validator::new().validate_with_defaults(schema, object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| Finding::new(error.field_path, error.message))
            .collect(),
    }
}

/// The API server drops a `null` whose field is not nullable; none of ours is.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
