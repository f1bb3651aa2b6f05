//! The structure of a text with positions.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its root; `None` for an empty document.
    pub(crate) root: Option<Node>,
}

/// One value.
#[derive(Debug)]
pub(crate) struct Node {
    /// Bytes of the text; those of a block collection may reach to the start of what follows it.
    pub(crate) span: Range<usize>,
    /// Line of its first byte, from 1.
    pub(crate) line: usize,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Text, without quotes and escapes; whether it was written plain.
    Scalar { text: String, plain: bool },
    /// A list; whether it is written in brackets.
    Sequence { flow: bool, items: Vec<Node> },
    /// A mapping; whether it is written in braces.
    Mapping { flow: bool, entries: Vec<Entry> },
    /// An alias of another value.
    Alias,
}

/// One key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Node,
    pub(crate) value: Node,
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Keys and values; none for anything but a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping { entries, .. } => entries,
            _ => &[],
        }
    }

    /// Items; none for anything but a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    /// The entry of this key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        let mut entries = self.entries().iter();
        entries.find(|entry| entry.key.text() == Some(key))
    }

    /// The value at this path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter()
            .try_fold(self, |node, key| Some(&node.entry(key)?.value))
    }

    /// The line of a field, as `spec.access[0].scope`; of what is missing, the line of the deepest field that
    /// holds it.
    pub(crate) fn line_of(&self, field: &str) -> usize {
        let (mut node, mut line) = (self, self.line);
        for step in steps(field) {
            let Some((at, found)) = node.step(&step) else {
                break;
            };
            (node, line) = (found, at);
        }
        line
    }

    /// The value of a field, as `spec.access[0].scope`.
    pub(crate) fn field(&self, field: &str) -> Option<&Self> {
        let mut steps = steps(field).into_iter();
        steps.try_fold(self, |node, step| Some(node.step(&step)?.1))
    }

    /// What one step leads to, and its line.
    fn step(&self, step: &Step) -> Option<(usize, &Self)> {
        match step {
            Step::Key(key) => self.entry(key).map(|entry| (entry.key.line, &entry.value)),
            Step::Index(at) => self.items().get(*at).map(|item| (item.line, item)),
        }
    }
}

enum Step {
    Key(String),
    Index(usize),
}

/// `a.b[0]["c.d"]` as steps.
fn steps(field: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (text, after) = inside.split_once(']').unwrap_or((inside, ""));
            steps.push(match text.parse() {
                Ok(at) => Step::Index(at),
                Err(_) => Step::Key(text.trim_matches(['"', '\'']).to_owned()),
            });
            rest = after.trim_start_matches('.');
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = rest[end..].trim_start_matches('.');
        }
    }
    steps
}

/// The documents of a text; `None` when it is not YAML, which [`parse_values`](super::parse_values) explains.
pub(crate) fn parse(text: &str) -> Option<Vec<Document>> {
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    loop {
        match next(&mut parser)? {
            (Event::StreamEnd, _) => return Some(documents),
            (Event::DocumentStart(..), _) => {
                let (event, span) = next(&mut parser)?;
                let root = node(event, span, &mut parser)?;
                let is_empty = matches!(&root.kind, Kind::Scalar { text, plain: true }
                    if ["", "~", "null"].contains(&text.as_str()));
                let root = (!is_empty).then_some(root);
                documents.push(Document { root });
            }
            _ => {}
        }
    }
}

type Events<'a> = Parser<'a, StrInput<'a>>;

/// The next event that is neither comment nor anchor.
fn next<'a>(parser: &mut Events<'a>) -> Option<(Event<'a>, Span)> {
    loop {
        match parser.next_event()?.ok()? {
            (Event::Comment(..) | Event::Anchor(..), _) => {}
            found => return Some(found),
        }
    }
}

/// The value that begins with `event`. The parser bounds how deep values nest.
fn node<'a>(event: Event<'a>, span: Span, parser: &mut Events<'a>) -> Option<Node> {
    let range = span.byte_range()?;
    let (kind, end) = match event {
        Event::Scalar(text, style, ..) => {
            let plain = style == ScalarStyle::Plain;
            let text = text.into_owned();
            (Kind::Scalar { text, plain }, range.end)
        }
        Event::SequenceStart(style, ..) => {
            let (items, end) = sequence(parser)?;
            let flow = style == StructureStyle::Flow;
            (Kind::Sequence { flow, items }, end)
        }
        Event::MappingStart(style, ..) => {
            let (entries, end) = mapping(parser)?;
            let flow = style == StructureStyle::Flow;
            (Kind::Mapping { flow, entries }, end)
        }
        Event::Alias(_) => (Kind::Alias, range.end),
        _ => return None,
    };
    Some(Node {
        span: range.start..end,
        line: span.start.line(),
        kind,
    })
}

fn sequence(parser: &mut Events<'_>) -> Option<(Vec<Node>, usize)> {
    let mut items = Vec::new();
    loop {
        match next(parser)? {
            (Event::SequenceEnd, span) => return Some((items, span.byte_range()?.end)),
            (event, span) => items.push(node(event, span, parser)?),
        }
    }
}

fn mapping(parser: &mut Events<'_>) -> Option<(Vec<Entry>, usize)> {
    let mut entries = Vec::new();
    loop {
        match next(parser)? {
            (Event::MappingEnd, span) => return Some((entries, span.byte_range()?.end)),
            (event, span) => {
                let key = node(event, span, parser)?;
                let (event, span) = next(parser)?;
                let value = node(event, span, parser)?;
                entries.push(Entry { key, value });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# first\nkind: A\nspec:\n  list:\n    - name: x\n      \"k.v\": 1\n    - [a, b]\n---\n\n---\nkind: B # b\n";

    #[test]
    fn every_field_has_its_line() {
        let documents = parse(TEXT).unwrap();
        assert!(documents[1].root.is_none());
        let root = documents[0].root.as_ref().unwrap();
        let table = [
            ("kind", 2),
            ("spec", 3),
            ("spec.list[0].name", 5),
            ("spec.list[0][\"k.v\"]", 6),
            ("spec.list[1][1]", 7),
            ("spec.list[7].name", 4),
            ("nothing", 2),
            ("", 2),
            ("[[..]", 2),
        ];
        for (field, line) in table {
            assert_eq!(root.line_of(field), line, "{field}");
        }
        assert_eq!(documents[2].root.as_ref().unwrap().line_of("kind"), 11);
    }

    #[test]
    fn spans_are_bytes_of_the_text_also_after_wide_characters() {
        for text in ["é: 'ü' # ö\nb: [1, 2]\n", "é: 'ü'\r\nb: [1, 2]\r\n"] {
            let documents = parse(text).unwrap();
            let root = documents[0].root.as_ref().unwrap();
            assert_eq!(&text[root.at(&["é"]).unwrap().span.clone()], "'ü'");
            assert_eq!(&text[root.at(&["b"]).unwrap().span.clone()], "[1, 2]");
        }
    }

    #[test]
    fn what_is_not_yaml_has_no_structure() {
        for text in ["a: [", "a:\n\tb: c", "a: b: c", &"[".repeat(10_000)] {
            assert!(parse(text).is_none());
        }
    }
}
