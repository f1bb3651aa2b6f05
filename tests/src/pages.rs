//! The pages of the documentation, and what a reader copies from them.

use std::fs;

use crate::programs::repository;

/// The text of a page, named from the root of the clone.
///
/// # Panics
/// When it is not there.
#[must_use]
#[allow(clippy::panic)]
pub fn page(name: &str) -> String {
    match fs::read_to_string(repository().join(name)) {
        Ok(text) => text,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// A section of a page, from its heading to the next one of the second level.
///
/// # Panics
/// When the page has no such heading.
#[must_use]
#[allow(clippy::panic)]
pub fn section(page: &str, heading: &str) -> String {
    let Some((_, rest)) = page.split_once(&format!("\n## {heading}\n")) else {
        panic!("no section {heading}: {page}");
    };
    rest.split("\n## ").next().unwrap_or(rest).to_owned()
}

/// The fenced blocks of a language, of which there must be one at least.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let rests = text.split(&begin).skip(1);
    let blocks: Vec<String> = rests
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect();
    assert!(!blocks.is_empty(), "no block of {language}: {text}");
    blocks
}
