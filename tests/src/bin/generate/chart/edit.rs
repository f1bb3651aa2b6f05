//! Edits of text, which fail where the text is not what they were written for.

use std::fs;

use anyhow::{Context, Result, ensure};
use podid_tests::programs;

/// Replaces `from`, which must be there exactly `times` times.
pub(super) struct Edit {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) times: usize,
}

/// The text after all edits, in their order.
pub(super) fn apply(text: &str, edits: &[Edit]) -> Result<String> {
    let mut text = text.to_owned();
    for edit in edits {
        let found = text.matches(edit.from).count();
        ensure!(
            found == edit.times,
            "{:?} is there {found} times and not {}: mend the edits in tests/src/bin/generate/chart",
            edit.from,
            edit.times
        );
        text = text.replace(edit.from, edit.to);
    }
    Ok(text)
}

/// A file of the repository that can become part of a template.
pub(super) fn source(path: &str) -> Result<String> {
    let text = fs::read_to_string(programs::repository().join(path));
    let text = text.with_context(|| format!("cannot read {path}"))?;
    plain(&text).with_context(|| format!("{path} cannot be part of a template"))?;
    Ok(text)
}

/// Whether Helm would take none of a text for a template of its own.
pub(super) fn plain(text: &str) -> Result<()> {
    ensure!(
        !text.contains("{{"),
        "it has {{{{, where Helm's templates begin"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(from: &'static str, times: usize) -> Edit {
        Edit {
            from,
            to: "x",
            times,
        }
    }

    #[test]
    fn an_edit_that_does_not_fit_is_refused() {
        assert_eq!(apply("a b a", &[edit("a", 2)]).unwrap(), "x b x");
        assert!(apply("a b a", &[edit("a", 1)]).is_err());
        assert!(apply("a b a", &[edit("c", 1)]).is_err());
    }

    #[test]
    fn text_that_helm_would_fill_in_is_refused() {
        assert!(plain("a: {b: c}").is_ok());
        assert!(plain("a: {{ b }}").is_err());
    }
}
