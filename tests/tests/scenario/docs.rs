//! Every command in `docs/try-it.md` is run, in order, as a reader would.

use std::fmt::Write as _;
use std::process::Command;

use podid_tests::programs;

/// The fenced `sh` blocks of a page, with the line each starts at.
fn commands(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line) {
            (None, "```sh") => open = Some((at + 1, String::new())),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some((_, block)), line) => writeln!(block, "{line}").expect("memory"),
            (None, _) => {}
        }
    }
    blocks
}

#[test]
fn the_hands_on_page_works_as_written() {
    let page = std::fs::read_to_string(programs::repository().join("docs/try-it.md"))
        .expect("docs/try-it.md");
    let mut script = String::from("set -euo pipefail\n");
    let blocks = commands(&page);
    assert!(
        blocks.len() >= 5,
        "the page holds {} blocks of commands",
        blocks.len()
    );
    for (line, block) in blocks {
        writeln!(script, "echo '--- docs/try-it.md, line {line}'\n{block}").expect("memory");
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(programs::repository())
        .env("PODID_PYTHON", programs::python())
        .output()
        .expect("bash starts");
    // The page ends the lab itself; this is for a run that broke off before.
    let down = Command::new(programs::program("podid-lab"))
        .args(["down", "--name", "try"])
        .output();
    assert!(
        output.status.success(),
        "a command of the page failed\n{}\n{}\n{down:?}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
