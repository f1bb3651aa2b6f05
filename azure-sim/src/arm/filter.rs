//! The `$filter` of role lists: functions and comparisons, joined by `and`.

use super::error::{ArmError, Result};

/// One term of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// `name()` or `name('value')`, the name in lower case.
    Function(String, Option<String>),
    /// `name eq 'value'`, the name in lower case.
    Equals(String, String),
}

/// Parses a filter. Without a filter there are no terms.
pub(super) fn parse(text: Option<&str>) -> Result<Vec<Term>> {
    let text = text.unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    split_on_and(text).into_iter().map(term).collect()
}

/// The error for a term that the list does not support.
pub(super) fn refused(term: &str) -> ArmError {
    ArmError::bad_request(
        "BadRequestFormat",
        format!(
            "The filter '{term}' is not supported. Supported filters are either 'atScope()', \
                 'principalId eq '{{value}}'' or 'assignedTo('{{value}}')' for role assignments, and \
                 'roleName eq '{{value}}'', 'type eq '{{value}}'' or 'atScopeAndBelow()' for role definitions."
        ),
    )
}

/// Splits at `and`, except inside quotes.
fn split_on_and(text: &str) -> Vec<&str> {
    let lower = text.to_ascii_lowercase();
    let mut terms = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        if character == '\'' {
            quoted = !quoted;
        } else if !quoted && at >= start && lower[at..].starts_with(" and ") {
            terms.push(text[start..at].trim());
            start = at + " and ".len();
        }
    }
    terms.push(text[start..].trim());
    terms
}

fn term(text: &str) -> Result<Term> {
    let unknown = || refused(text);
    if let Some((name, rest)) = text
        .split_once('(')
        .filter(|(name, _)| !name.contains('\''))
    {
        let argument = rest.strip_suffix(')').ok_or_else(unknown)?.trim();
        let argument = match argument {
            "" => None,
            quoted => Some(unquote(quoted).ok_or_else(unknown)?),
        };
        return Ok(Term::Function(name.trim().to_lowercase(), argument));
    }
    let mut words = text.splitn(3, char::is_whitespace);
    match (words.next(), words.next(), words.next()) {
        (Some(name), Some(eq), Some(value)) if eq.eq_ignore_ascii_case("eq") => {
            let value = unquote(value.trim()).ok_or_else(unknown)?;
            Ok(Term::Equals(name.to_lowercase(), value))
        }
        _ => Err(unknown()),
    }
}

/// The text between quotes. A doubled quote inside it stands for one quote.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_comparisons_are_read() {
        let terms = parse(Some("atScope() and assignedTo('a b and c')")).unwrap();
        assert_eq!(
            terms,
            [
                Term::Function("atscope".into(), None),
                Term::Function("assignedto".into(), Some("a b and c".into())),
            ]
        );
        let terms = parse(Some("roleName eq 'Bob''s (own)'")).unwrap();
        assert_eq!(
            terms,
            [Term::Equals("rolename".into(), "Bob's (own)".into())]
        );
        assert!(parse(None).unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "principalId",
            "principalId gt '1'",
            "principalId eq 1",
            "atScope(",
            "assignedTo(x)",
        ] {
            assert!(parse(Some(text)).is_err(), "{text}");
        }
    }
}
