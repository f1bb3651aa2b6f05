use serde_json::Value;

/// The string in `field`; empty when it is absent or no string.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
