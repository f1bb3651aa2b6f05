//! The structural part of a schema, as far as our kinds use it. Unknown fields are findings, as they are
//! for the clients that apply files: the API server refuses a server-side apply with one ("field not
//! declared in schema"), and so does kubectl's validation; it prunes them from a plain create or update.

use std::collections::HashSet;

use podid_core::spelling;
use serde_json::Value;

use super::finding::Finding;
use super::json::text;

/// Fields of every object, whose content is not in the schema.
const ENVELOPE: &[&str] = &["apiVersion", "kind", "metadata"];

/// What in `object` does not fit the root schema of its kind.
pub(super) fn findings(object: &Value, schema: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (field, value) in object.as_object().into_iter().flatten() {
        match &schema["properties"][field] {
            _ if ENVELOPE.contains(&field.as_str()) => {}
            Value::Null => findings.push(unknown(field, field, schema)),
            schema => walk(field, value, schema, &mut findings),
        }
    }
    missing("", object, schema, &mut findings);
    findings
}

fn walk(path: &str, value: &Value, schema: &Value, findings: &mut Vec<Finding>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    if let Some(message) = wrong_word(value, schema) {
        findings.push(Finding::new(path, message));
        return;
    }
    let wanted = text(schema, "type");
    if !is_type(value, wanted) {
        let message = format!("must be {wanted}, not {}", type_of(value));
        findings.push(Finding::new(path, message));
        return;
    }
    match value {
        Value::Object(_) => walk_fields(path, value, schema, findings),
        Value::Array(items) => walk_items(path, items, schema, findings),
        Value::String(text) => {
            let length = text.chars().count();
            let limits = ["minLength", "maxLength"];
            size(path, length, "characters", schema, limits, findings);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn walk_fields(path: &str, object: &Value, schema: &Value, findings: &mut Vec<Finding>) {
    missing(path, object, schema, findings);
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        // A schema has named fields, or one schema for all fields of a map.
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) => findings.push(unknown(&path, name, schema)),
            (Value::Null, schema) | (schema, _) => walk(&path, value, schema, findings),
        }
    }
}

fn walk_items(path: &str, items: &[Value], schema: &Value, findings: &mut Vec<Finding>) {
    let limits = ["minItems", "maxItems"];
    size(path, items.len(), "entries", schema, limits, findings);
    duplicates(path, items, schema, findings);
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        walk(&path, item, &schema["items"], findings);
    }
}

/// What is wrong with a value of which the schema lists all that are taken.
fn wrong_word(value: &Value, schema: &Value) -> Option<String> {
    let choices = schema["enum"].as_array()?;
    if choices.contains(value) {
        return None;
    }
    let choices: Vec<_> = choices.iter().filter_map(Value::as_str).collect();
    let why = match value {
        Value::Bool(_) => " (YAML reads a bare on, yes or true, off, no or false so)",
        _ => "",
    };
    Some(format!(
        "must be one of {}, not {value}{why}",
        choices.join(", ")
    ))
}

/// `name` at `path` is not among the fields of `schema`.
fn unknown(path: &str, name: &str, schema: &Value) -> Finding {
    let known = schema["properties"].as_object().into_iter().flatten();
    let known = known.map(|(field, _)| field.as_str());
    let meant = spelling::nearest(name, known)
        .map(|field| format!("; did you mean {field}?"))
        .unwrap_or_default();
    let message = format!("unknown field, on which Flux and `kubectl apply` fail{meant}");
    Finding::new(path, message)
}

fn missing(path: &str, value: &Value, schema: &Value, findings: &mut Vec<Finding>) {
    let required = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    for field in required.filter(|field| value.get(field).is_none()) {
        let path = if path.is_empty() {
            field.to_owned()
        } else {
            format!("{path}.{field}")
        };
        findings.push(Finding::new(path, "is required"));
    }
}

fn size(
    path: &str,
    is: usize,
    unit: &str,
    schema: &Value,
    [min, max]: [&str; 2],
    findings: &mut Vec<Finding>,
) {
    let limit = |name: &str| {
        schema[name]
            .as_u64()
            .and_then(|limit| usize::try_from(limit).ok())
    };
    if let Some(min) = limit(min).filter(|min| is < *min) {
        findings.push(Finding::new(
            path,
            format!("needs at least {min} {unit}, has {is}"),
        ));
    }
    if let Some(max) = limit(max).filter(|max| is > *max) {
        findings.push(Finding::new(
            path,
            format!("takes at most {max} {unit}, has {is}"),
        ));
    }
}

/// Lists that are sets, or maps by some keys, hold each entry once.
fn duplicates(path: &str, items: &[Value], schema: &Value, findings: &mut Vec<Finding>) {
    let keys: Vec<&str> = match text(schema, "x-kubernetes-list-type") {
        "set" => Vec::new(),
        "map" => schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        _ => return,
    };
    let identity = |item: &Value| match keys.as_slice() {
        [] => item.to_string(),
        keys => keys
            .iter()
            .map(|key| item[key].to_string())
            .collect::<Vec<_>>()
            .join(" "),
    };
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        if !seen.insert(identity(item)) {
            let message = "repeats an earlier entry of this list";
            findings.push(Finding::new(format!("{path}[{index}]"), message));
        }
    }
}

fn is_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean (quote it if it is meant as text)",
        Value::Number(_) => "number (quote it if it is meant as text)",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
