//! The texts of Entra's errors.

/// An `error_description` without its end, which repeats trace id, correlation id and time: these differ from call to
/// call.
pub(crate) fn without_trace(description: &str) -> &str {
    let text = description.split("Trace ID:").next();
    text.unwrap_or_default().trim()
}
