//! Unknown fields of a seed are refused. Serde cannot refuse them in resources with a flattened
//! [`Place`](super::place::Place). So the seed that was parsed is written out again, and a field of
//! the text that is missing there is unknown.

use serde_json::Value;

/// The path of a field of `given` that is missing in `parsed`, with dots between its parts.
pub(super) fn unknown_field(given: &Value, parsed: &Value) -> Option<String> {
    match (given, parsed) {
        (Value::Object(given), Value::Object(parsed)) => {
            given
                .iter()
                .find_map(|(name, value)| match parsed.get(name) {
                    Some(inside) => below(name, unknown_field(value, inside)),
                    // An empty field is not written out again, so its absence shows nothing.
                    None if is_empty(value) => None,
                    None => Some(name.clone()),
                })
        }
        (Value::Array(given), Value::Array(parsed)) => given
            .iter()
            .zip(parsed)
            .enumerate()
            .find_map(|(n, (given, parsed))| below(&n.to_string(), unknown_field(given, parsed))),
        _ => None,
    }
}

fn below(name: &str, found: Option<String>) -> Option<String> {
    found.map(|rest| format!("{name}.{rest}"))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unknown_field;

    #[test]
    fn a_field_that_is_missing_after_parsing_is_unknown() {
        let parsed = json!({"a": [{"b": 1, "more": "default"}]});
        assert_eq!(
            unknown_field(&json!({"a": [{"b": 1, "c": null}]}), &parsed),
            None
        );
        assert_eq!(
            unknown_field(&json!({"a": [{"c": 1}]}), &parsed),
            Some("a.0.c".into())
        );
    }
}
