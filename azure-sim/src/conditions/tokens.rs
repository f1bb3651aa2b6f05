//! The words and signs of a condition.

use super::error::ConditionError;

/// A word or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `(`, `)`, `{`, `}`, `,` or `!`
    Sign(char),
    /// Text in single quotes.
    Quoted(String),
    /// `@Source[type:attribute]`, without the `@`.
    Attribute { source: String, name: String },
    /// Anything else without spaces: operators, functions, GUIDs, `&&`.
    Word(String),
}

const SIGNS: &[char] = &['(', ')', '{', '}', ',', '!'];

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ConditionError> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            sign if SIGNS.contains(&sign) => (Token::Sign(sign), &rest[1..]),
            '\'' => quoted(&rest[1..])?,
            '@' => attribute(&rest[1..])?,
            _ => word(rest),
        };
        found.push(token);
        rest = after.trim_start();
    }
    Ok(found)
}

fn quoted(text: &str) -> Result<(Token, &str), ConditionError> {
    let (inside, after) = until(text, '\'')?;
    Ok((Token::Quoted(inside.to_owned()), after))
}

fn attribute(text: &str) -> Result<(Token, &str), ConditionError> {
    let (source, inside) = until(text, '[')?;
    let (name, after) = until(inside, ']')?;
    let token = Token::Attribute {
        source: source.to_owned(),
        name: name.to_owned(),
    };
    Ok((token, after))
}

fn until(text: &str, end: char) -> Result<(&str, &str), ConditionError> {
    text.split_once(end)
        .ok_or_else(|| ConditionError::Malformed(format!("{end} is missing")))
}

fn word(text: &str) -> (Token, &str) {
    let ends = |c: char| c.is_whitespace() || SIGNS.contains(&c) || c == '\'' || c == '@';
    let end = text.find(ends).unwrap_or(text.len());
    (Token::Word(text[..end].to_owned()), &text[end..])
}
