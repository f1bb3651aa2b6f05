//! The README's ways to install podid are those of the pages, whose commands other tests run.

use std::collections::BTreeSet;

use podid_tests::pages::{blocks, page, section};

/// The commands of a text, a line each, with their words sorted: flags may come in any order.
fn commands(text: &str) -> Vec<BTreeSet<String>> {
    let whole = text.replace("\\\n", " ");
    let commands = whole.lines().map(str::trim).filter(|line| !line.is_empty());
    commands
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn each_way_is_short_and_has_the_commands_of_its_page() {
    let ways = blocks(&section(&page("README.md"), "Install it"), "sh");
    let install = page("docs/install.md");
    let pages = [
        blocks(&section(&install, "4. Apply it"), "sh").concat(),
        blocks(&section(&install, "With Helm"), "sh").remove(0),
        blocks(&page("docs/flux.md"), "sh").concat(),
    ];
    assert_eq!(ways.len(), pages.len());
    for (way, page) in ways.iter().zip(&pages) {
        assert!(way.lines().count() <= 6, "{way}");
        let known = commands(page);
        for command in commands(way) {
            assert!(known.contains(&command), "{command:?} is not in {page}");
        }
    }
    // All that the page has, too, where the page has no more ways than one.
    for (way, page) in ways.iter().zip(&pages).take(2) {
        assert_eq!(commands(way), commands(page));
    }
}
