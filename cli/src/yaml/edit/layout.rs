//! Lines and columns of a text.

use std::ops::Range;

use serde_json::Value;

use crate::yaml::node::{Kind, Node};

/// How a text is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Its line end.
    line_end: &'static str,
}

impl Layout {
    pub(super) fn of(text: &str) -> Self {
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { line_end }
    }

    /// Where the line of this byte begins.
    pub(super) fn line_start(self, text: &str, at: usize) -> usize {
        text[..at].rfind('\n').map_or(0, |line| line + 1)
    }

    /// Column of this byte, in characters.
    pub(super) fn column(self, text: &str, at: usize) -> usize {
        text[self.line_start(text, at)..at].chars().count()
    }

    /// The dash of a list's item that begins at this byte.
    pub(super) fn dash(self, text: &str, at: usize) -> Option<usize> {
        let line = self.line_start(text, at);
        let before = &text[line..at];
        before
            .trim_end()
            .ends_with('-')
            .then(|| line + before.trim_end().len() - 1)
    }

    /// Inserts lines after the line of this byte.
    pub(super) fn insert_after(
        self,
        text: &str,
        at: usize,
        lines: &[String],
    ) -> (Range<usize>, String) {
        let joined = lines.join(self.line_end);
        match text[at..].find('\n') {
            Some(end) => {
                let at = at + end + 1;
                (at..at, format!("{joined}{}", self.line_end))
            }
            None => (
                text.len()..text.len(),
                format!("{}{joined}{0}", self.line_end),
            ),
        }
    }

    /// The lines that this range is on, as far as nothing else is on the first; then without its indent.
    pub(super) fn whole_lines(self, text: &str, range: Range<usize>) -> Range<usize> {
        let line = self.line_start(text, range.start);
        let alone = text[line..range.start].trim().is_empty();
        let end = text[range.end..].find('\n');
        let end = end.map_or(text.len(), |end| range.end + end + 1);
        if alone {
            return line..end;
        }
        // The first key of a list's item shares its line with the dash; the next key moves there.
        let next = text[end..].chars().take_while(|c| *c == ' ').count();
        range.start..end + next
    }
}

/// Where a value ends: a block collection ends with its last value.
pub(super) fn end(node: &Node) -> usize {
    match &node.kind {
        Kind::Sequence { flow: false, items } => items.last().map_or(node.span.end, end),
        Kind::Mapping {
            flow: false,
            entries,
        } => entries
            .last()
            .map_or(node.span.end, |last| end(&last.value)),
        _ => node.span.end,
    }
}

/// The range of one of several values in brackets, with the comma to its neighbour.
pub(super) fn with_comma(spans: &[Range<usize>], at: usize) -> Option<Range<usize>> {
    let own = spans.get(at)?;
    if let Some(next) = spans.get(at + 1) {
        return Some(own.start..next.start);
    }
    let start = match at.checked_sub(1) {
        Some(before) => spans[before].end,
        None => own.start,
    };
    Some(start..own.end)
}

/// A value on one line: as JSON, which is YAML, but for texts that YAML takes without quotes.
pub(super) fn inline(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let written = serde_saphyr::to_string(text).ok()?;
            let written = written.trim_end();
            let is_plain = !written.contains(['\n', ',', '[', ']', '{', '}']);
            if is_plain && written.len() < 2 + text.len() * 2 {
                return Some(written.to_owned());
            }
            serde_json::to_string(text).ok()
        }
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(inline).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| {
                let key = inline(&Value::String(key.clone()))?;
                Some(format!("{key}: {}", inline(value)?))
            });
            let fields: Option<Vec<String>> = fields.collect();
            Some(format!("{{{}}}", fields?.join(", ")))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
    }
}

/// `key: value` as lines with this indent.
pub(super) fn key_lines(key: &str, value: &Value, indent: usize) -> Option<Vec<String>> {
    let pad = " ".repeat(indent);
    let written = inline(&Value::String(key.to_owned()))?;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let mut lines = vec![format!("{pad}{written}:")];
            for (key, value) in fields {
                lines.extend(key_lines(key, value, indent + 2)?);
            }
            Some(lines)
        }
        Value::Array(items) if !items.is_empty() => {
            let mut lines = vec![format!("{pad}{written}:")];
            for item in items {
                lines.extend(item_lines(item, indent + 2)?);
            }
            Some(lines)
        }
        _ => Some(vec![format!("{pad}{written}: {}", inline(value)?)]),
    }
}

/// A list's item as lines, its dash with this indent.
pub(super) fn item_lines(item: &Value, indent: usize) -> Option<Vec<String>> {
    let pad = " ".repeat(indent);
    let Value::Object(fields) = item else {
        return Some(vec![format!("{pad}- {}", inline(item)?)]);
    };
    let mut lines = Vec::new();
    for (key, value) in fields {
        lines.extend(key_lines(key, value, indent + 2)?);
    }
    let first = lines.first_mut()?;
    *first = format!("{pad}- {}", first.trim_start());
    Some(lines)
}
