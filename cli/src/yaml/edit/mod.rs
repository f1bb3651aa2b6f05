//! Changes of one object in a text, by which everything else stays as it was: comments, order, quotes, line
//! ends.
//!
//! A change is made in the text, at positions that the parser gives. Then the result is read, and if it is
//! anything but the old values with that change, nothing is changed: so an alias, a merge key or an odd layout
//! can make podid refuse, and never makes it spoil a file.

mod change;
mod layout;

use std::ops::Range;

use serde_json::Value;

use super::node::{Entry, Kind, Node, parse};
pub(crate) use change::{Edit, EditError};
use layout::{Layout, inline, item_lines, key_lines};

/// The text with the change made in its `at`th object, counted without empty documents.
pub(crate) fn edit(text: &str, at: usize, edit: &Edit) -> Result<String, EditError> {
    let field = edit.field();
    let layout = || EditError::Layout(field.clone());
    let documents = parse(text).ok_or_else(layout)?;
    let mut roots = documents
        .iter()
        .filter_map(|document| document.root.as_ref());
    let root = roots.nth(at).ok_or_else(layout)?;
    let mut values = values(text).ok_or_else(layout)?;
    let wanted = values.get_mut(at).ok_or_else(layout)?;
    let before = wanted.clone();
    edit.in_value(wanted)?;
    if *wanted == before {
        return Ok(text.to_owned());
    }
    let editor = Editor {
        text,
        layout: Layout::of(text),
    };
    let (range, new) = editor.change(root, edit).ok_or_else(layout)?;
    let mut changed = text.to_owned();
    changed.replace_range(range, &new);
    match self::values(&changed) {
        Some(found) if found == values => Ok(changed),
        _ => Err(layout()),
    }
}

fn values(text: &str) -> Option<Vec<Value>> {
    super::file::parse_values(std::path::Path::new(""), text).ok()
}

/// What is replaced, and by what.
type Change = (Range<usize>, String);

struct Editor<'a> {
    text: &'a str,
    layout: Layout,
}

impl Editor<'_> {
    fn change(&self, root: &Node, edit: &Edit) -> Option<Change> {
        let path = edit.path();
        match edit {
            Edit::Set(_, value) | Edit::SetKey(_, _, value) => self.set(root, &path, value),
            Edit::Add(_, item) => match descend(root, &path) {
                (list, []) if !list.items().is_empty() => self.add_item(list, item),
                _ => self.set(root, &path, &Value::Array(vec![item.clone()])),
            },
            Edit::Remove(_, item) => {
                let (list, []) = descend(root, &path) else {
                    return None;
                };
                let items = list.items();
                let value = |node: &Node| self.value(node);
                let at = items
                    .iter()
                    .position(|node| value(node).as_ref() == Some(item))?;
                match items {
                    [_] => self.unset(root, &path),
                    _ => self.remove_item(list, at),
                }
            }
            Edit::Unset(_) => self.unset(root, &path),
        }
    }

    /// The value of a node by itself.
    fn value(&self, node: &Node) -> Option<Value> {
        let text = &self.text[node.span.start..layout::end(node)];
        // Lines after the first keep their indent, so the first gets its own.
        let start = self.layout.line_start(self.text, node.span.start);
        let indent = " ".repeat(self.text[start..node.span.start].chars().count());
        values(&format!("{indent}{text}\n"))?.into_iter().next()
    }

    fn set(&self, root: &Node, path: &[String], value: &Value) -> Option<Change> {
        let (node, rest) = descend(root, path);
        if rest.is_empty() {
            return self.replace(node, value);
        }
        let (first, deeper) = rest.split_first()?;
        let value = deeper.iter().rev().fold(value.clone(), |value, key| {
            Value::Object([(key.clone(), value)].into_iter().collect())
        });
        match &node.kind {
            Kind::Mapping {
                flow: false,
                entries,
            } => {
                let last = entries.last()?;
                let indent = self.layout.column(self.text, last.key.span.start);
                let lines = key_lines(first, &value, indent)?;
                Some(
                    self.layout
                        .insert_after(self.text, layout::end(&last.value), &lines),
                )
            }
            Kind::Mapping {
                flow: true,
                entries,
            } => {
                let separator = if entries.is_empty() { "" } else { ", " };
                let end = entries
                    .last()
                    .map_or(node.span.start + 1, |last| layout::end(&last.value));
                let new = format!(
                    "{separator}{}: {}",
                    inline(&Value::from(first.clone()))?,
                    inline(&value)?
                );
                Some((end..end, new))
            }
            Kind::Scalar { .. } | Kind::Sequence { .. } | Kind::Alias => None,
        }
    }

    fn replace(&self, node: &Node, value: &Value) -> Option<Change> {
        let range = node.span.start..layout::end(node);
        let old = self.text.get(range.clone())?;
        let is_inline = match &node.kind {
            Kind::Scalar { .. } => !old.starts_with(['|', '>', '&', '!']),
            Kind::Sequence { flow, .. } | Kind::Mapping { flow, .. } => *flow,
            Kind::Alias => false,
        };
        let mut new = inline(value)?;
        // The user's own quotes, where the text allows them.
        if let Some(text) = value.as_str()
            && old.starts_with('\'')
            && !text.contains(['\'', '\n'])
        {
            new = format!("'{text}'");
        } else if let Some(text) = value.as_str()
            && old.starts_with('"')
        {
            new = serde_json::to_string(text).ok()?;
        }
        let space = if range.is_empty() { " " } else { "" };
        is_inline.then(|| (range, format!("{space}{new}")))
    }

    fn add_item(&self, list: &Node, item: &Value) -> Option<Change> {
        let Kind::Sequence { flow, items } = &list.kind else {
            return None;
        };
        let last = items.last()?;
        let end = layout::end(last);
        if *flow {
            return Some((end..end, format!(", {}", inline(item)?)));
        }
        let dash = self.layout.dash(self.text, last.span.start)?;
        let lines = item_lines(item, self.layout.column(self.text, dash))?;
        Some(self.layout.insert_after(self.text, end, &lines))
    }

    fn remove_item(&self, list: &Node, at: usize) -> Option<Change> {
        let Kind::Sequence { flow, items } = &list.kind else {
            return None;
        };
        let node = items.get(at)?;
        if *flow {
            let spans: Vec<Range<usize>> = items
                .iter()
                .map(|item| item.span.start..layout::end(item))
                .collect();
            return Some((layout::with_comma(&spans, at)?, String::new()));
        }
        let dash = self.layout.dash(self.text, node.span.start)?;
        let end = layout::end(node);
        Some((self.layout.whole_lines(self.text, dash..end), String::new()))
    }

    fn unset(&self, root: &Node, path: &[String]) -> Option<Change> {
        let (key, above) = path.split_last()?;
        let (parent, []) = descend(root, above) else {
            return None;
        };
        let Kind::Mapping { flow, entries } = &parent.kind else {
            return None;
        };
        if entries.len() == 1 && !above.is_empty() {
            return self.unset(root, above);
        }
        let at = entries
            .iter()
            .position(|entry| entry.key.text() == Some(key))?;
        let span = |entry: &Entry| entry.key.span.start..layout::end(&entry.value);
        if *flow {
            let spans: Vec<Range<usize>> = entries.iter().map(span).collect();
            return Some((layout::with_comma(&spans, at)?, String::new()));
        }
        Some((
            self.layout.whole_lines(self.text, span(&entries[at])),
            String::new(),
        ))
    }
}

/// The deepest node on the path that is there, and the rest of the path.
fn descend<'a, 'p>(root: &'a Node, path: &'p [String]) -> (&'a Node, &'p [String]) {
    let mut node = root;
    for (at, key) in path.iter().enumerate() {
        match node.entry(key) {
            Some(entry) => node = &entry.value,
            None => return (node, &path[at..]),
        }
    }
    (node, &[])
}

#[cfg(test)]
mod tests;
