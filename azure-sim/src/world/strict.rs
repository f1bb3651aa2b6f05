//! No field of a world is passed over in silence. Places are flattened into their resources, and
//! serde cannot refuse unknown fields there, so what was understood is compared with what was given.

use serde_json::Value;

/// The path of a field that was given and not understood.
pub(super) fn unknown_field(given: &Value, understood: &Value) -> Option<String> {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            given
                .iter()
                .find_map(|(name, value)| match understood.get(name) {
                    Some(inside) => below(name, unknown_field(value, inside)),
                    // An empty field may be left out when it is written again.
                    None if is_empty(value) => None,
                    None => Some(name.clone()),
                })
        }
        (Value::Array(given), Value::Array(understood)) => given
            .iter()
            .zip(understood)
            .enumerate()
            .find_map(|(n, (given, understood))| {
                below(&n.to_string(), unknown_field(given, understood))
            }),
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
    fn a_field_that_vanished_was_not_understood() {
        let understood = json!({"a": [{"b": 1, "more": "default"}]});
        assert_eq!(
            unknown_field(&json!({"a": [{"b": 1, "c": null}]}), &understood),
            None
        );
        assert_eq!(
            unknown_field(&json!({"a": [{"c": 1}]}), &understood),
            Some("a.0.c".into())
        );
    }
}
