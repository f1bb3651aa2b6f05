//! Documents of a text.

use std::path::Path;

use super::file::parse_values;
use super::node::parse;

/// The text without its `at`th document, counted without empty ones, and without the `---` over it. `None` when
/// the rest would not read as before.
pub(crate) fn without_document(text: &str, at: usize) -> Option<String> {
    let documents = parse(text)?;
    let mut roots = documents
        .iter()
        .filter_map(|document| document.root.as_ref());
    let start = roots.nth(at)?.span.start;
    let mut from = 0;
    let mut to = text.len();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        // Only markers of documents begin so: within a value, the line would end it.
        if line.trim_end() == "---" || line.starts_with("--- ") {
            if line_start <= start {
                from = line_start;
            } else {
                to = line_start;
                break;
            }
        }
        line_start += line.len();
    }
    let new = format!("{}{}", &text[..from], &text[to..]);
    let values = |text: &str| parse_values(Path::new(""), text).ok();
    let mut wanted = values(text)?;
    (at < wanted.len()).then(|| wanted.remove(at))?;
    (values(&new)? == wanted).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_document_goes_and_the_others_stay_as_they_are() {
        let text = "# all\na: 1 # one\n---\n# two\nb: |\n  --- x\n---\n\n---\nc: 3\n";
        let table = [
            (0, "---\n# two\nb: |\n  --- x\n---\n\n---\nc: 3\n"),
            (1, "# all\na: 1 # one\n---\n\n---\nc: 3\n"),
            (2, "# all\na: 1 # one\n---\n# two\nb: |\n  --- x\n---\n\n"),
        ];
        for (at, wanted) in table {
            assert_eq!(without_document(text, at).as_deref(), Some(wanted), "{at}");
        }
        assert_eq!(without_document(text, 3), None);
        assert_eq!(without_document("a: [", 0), None);
    }
}
