//! Every command of the pages to be typed along is run, in order, as a reader would: with what the
//! page gives and nothing else.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::{Command, Output};

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

/// Where one person's labs and temporary files are. Another's, who has labs of the same names up, is
/// not touched by what is typed here. Its labs end with it.
struct Place {
    folder: tempfile::TempDir,
    /// The lab that is typed of here.
    lab: &'static str,
}

impl Place {
    fn new(lab: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for labs and files");
        Self { folder, lab }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(programs::repository())
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("TMPDIR", self.folder.path());
        command
    }

    fn lab(&self, command: &str) -> Output {
        self.command(programs::program("podid-lab"))
            .args([command, "--name", self.lab])
            .output()
            .expect("podid-lab starts")
    }

    /// A shell as a reader has one: nothing in it speaks of podid, a cluster or Azure.
    fn shell(&self) -> Command {
        let mut shell = self.command("bash");
        let foreign = ["PODID_", "AZURE_", "CARGO_", "KUBECONFIG"];
        let places = ["PODID_CACHE", "CARGO_HOME", "CARGO_TARGET_DIR"];
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_foreign = foreign.iter().any(|start| text.starts_with(start));
            if is_foreign && !places.contains(&&*text) {
                shell.env_remove(name);
            }
        }
        shell
    }

    /// What was left here, but for the folder of all labs.
    fn left(&self) -> Vec<OsString> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let names = entries.flatten().map(|entry| entry.file_name());
        names.filter(|name| name != "podid").collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // For what broke off before it ended its lab; one that is gone is as good.
        self.lab("down");
    }
}

/// Runs all commands of `page` as a reader and returns what they said.
fn follow(page: &str, reader: &Place) -> String {
    let text = std::fs::read_to_string(programs::repository().join(page)).expect("the page");
    let mut script = String::from("set -euo pipefail\n");
    let blocks = commands(&text);
    assert!(!blocks.is_empty(), "{page} holds no commands");
    for (line, block) in blocks {
        writeln!(script, "echo '--- {page}, line {line}'\n{block}").expect("memory");
    }
    let output = reader.shell().args(["-c", &script]).output();
    let output = output.expect("bash starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "a command of {page} failed\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(reader.left(), Vec::<OsString>::new(), "{page} leaves files");
    said
}

#[test]
fn the_hands_on_page_works_as_written_and_touches_no_lab_of_another() {
    let another = Place::new("try");
    let up = another.lab("up");
    assert!(up.status.success(), "{up:?}");
    let said = follow("docs/try-it.md", &Place::new("try"));
    assert!(said.contains("access_token"), "{said}");
    assert!(said.contains("correct horse battery staple"), "{said}");
    let status = another.lab("status");
    assert!(status.status.success(), "it is not up any more: {status:?}");
}

#[test]
fn the_labs_page_works_as_written() {
    let said = follow("lab/README.md", &Place::new("default"));
    assert!(said.contains("virtualMachineScaleSets"), "{said}");
}
