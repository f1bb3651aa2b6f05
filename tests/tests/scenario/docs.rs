//! Every command of the pages to be typed along is run, in order, as a reader would: with what the
//! page gives and nothing else.

use std::fmt::Write as _;
use std::process::Command;

use podid_lab::{Lab, Lifetime, UpOptions};
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

/// A shell as a reader has one: nothing in it speaks of podid, a cluster or Azure. Where this user's
/// labs and temporary files are is the test's own, so that no lab of a reader is touched.
fn readers_shell(own: &std::path::Path) -> Command {
    let mut shell = Command::new("bash");
    let foreign = ["PODID_", "AZURE_", "CARGO_", "KUBECONFIG"];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let place = ["PODID_CACHE", "CARGO_HOME", "CARGO_TARGET_DIR"];
        if foreign.iter().any(|start| text.starts_with(start)) && !place.contains(&&*text) {
            shell.env_remove(name);
        }
    }
    shell
        .current_dir(programs::repository())
        .env("XDG_RUNTIME_DIR", own)
        .env("TMPDIR", own);
    shell
}

/// Runs all commands of `page` and returns what they said.
fn follow(page: &str, lab: &str) -> String {
    let text = std::fs::read_to_string(programs::repository().join(page)).expect("the page");
    let mut script = String::from("set -euo pipefail\n");
    let blocks = commands(&text);
    assert!(!blocks.is_empty(), "{page} holds no commands");
    for (line, block) in blocks {
        writeln!(script, "echo '--- {page}, line {line}'\n{block}").expect("memory");
    }
    let own = tempfile::tempdir().expect("a folder for the page's lab and files");
    let output = readers_shell(own.path())
        .args(["-c", &script])
        .output()
        .expect("bash starts");
    // The page ends the lab itself; this is for a run that broke off before.
    let down = Command::new(programs::program("podid-lab"))
        .args(["down", "--name", lab])
        .env("XDG_RUNTIME_DIR", own.path())
        .output();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "a command of {page} failed\n{said}\n{}\n{down:?}",
        String::from_utf8_lossy(&output.stderr)
    );
    let left: Vec<_> = std::fs::read_dir(own.path())
        .expect("the test's own folder")
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name != "podid")
        .collect();
    assert!(left.is_empty(), "{page} leaves {left:?}");
    said
}

/// The lab called `name` that a reader has up meanwhile.
fn readers_lab(name: &str) -> Lab {
    let options = UpOptions {
        name: name.to_owned(),
        lifetime: Lifetime::Caller,
        ..UpOptions::default()
    };
    Lab::connect(name)
        .or_else(|_| Lab::up(options))
        .expect("a reader's lab")
}

#[test]
fn the_hands_on_page_works_as_written_and_touches_no_lab_of_a_reader() {
    let readers = readers_lab("try");
    let said = follow("docs/try-it.md", "try");
    assert!(said.contains("access_token"), "{said}");
    assert!(said.contains("correct horse battery staple"), "{said}");
    readers.status().expect("the reader's lab is still up");
}

#[test]
fn the_labs_page_works_as_written() {
    let said = follow("lab/README.md", "default");
    assert!(said.contains("virtualMachineScaleSets"), "{said}");
}
