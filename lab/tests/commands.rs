//! What `podid-lab` says to type next can be typed. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.with_file_name("../podid-lab").canonicalize().unwrap()
}

/// A command for labs below `runtime`, of which nobody else has any.
fn lab(runtime: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env("XDG_RUNTIME_DIR", runtime)
        .env_remove("PODID_LAB_COMMAND");
    command
}

fn said(output: &Output) -> String {
    [&*output.stdout, &*output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

/// What a text says to type.
fn hint(text: &str) -> &str {
    text.split('`')
        .nth(1)
        .unwrap_or_else(|| panic!("no hint in {text}"))
}

#[test]
fn a_lab_that_is_left_over_is_removed_by_what_is_said() {
    let runtime = tempfile::tempdir().unwrap();
    fs::create_dir_all(runtime.path().join("podid/left-over")).unwrap();
    let all = || said(&lab(runtime.path(), &["status", "--all"]).output().unwrap());
    let listed = all();
    let typed = Command::new("sh")
        .args(["-c", hint(&listed)])
        .env("XDG_RUNTIME_DIR", runtime.path())
        .output()
        .unwrap();
    assert!(typed.status.success(), "{listed}\n{typed:?}");
    assert_eq!(all(), "");
}

#[test]
fn hints_are_spelled_as_the_reader_types_the_command() {
    let runtime = tempfile::tempdir().unwrap();
    let whole = program();
    let folder = whole.parent().unwrap();
    let status = |change: &dyn Fn(&mut Command)| {
        let mut command = lab(runtime.path(), &["status", "--name", "nobody"]);
        change(&mut command);
        said(&command.output().unwrap())
    };
    let plain = status(&|_| {});
    assert_eq!(
        hint(&plain),
        format!("{} up --name nobody", whole.display())
    );
    let on_path = status(&|command| {
        command.env("PATH", folder);
    });
    assert_eq!(hint(&on_path), "podid-lab up --name nobody");
    let by_xtask = status(&|command| {
        command.env("PODID_LAB_COMMAND", "cargo xtask lab");
    });
    assert_eq!(hint(&by_xtask), "cargo xtask lab up --name nobody");
}

#[test]
fn help_names_the_command_that_was_typed() {
    let runtime = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["exec", "--help"]] {
        let mut command = lab(runtime.path(), arguments);
        let plain = said(&command.output().unwrap());
        assert!(plain.contains("Usage: podid-lab"), "{plain}");
        assert!(plain.contains("  podid-lab exec"), "{plain}");
        let command = command.env("PODID_LAB_COMMAND", "cargo xtask lab");
        let by_xtask = said(&command.output().unwrap());
        assert!(by_xtask.contains("Usage: cargo xtask lab"), "{by_xtask}");
        assert!(!by_xtask.contains("podid-lab"), "{by_xtask}");
    }
}

#[test]
fn who_is_not_root_learns_what_to_type() {
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("podid-lab");
    fs::copy(program(), &copy).unwrap();
    for command in ["up", "status", "env", "down"] {
        let output = Command::new(&copy)
            .arg(command)
            .uid(NOBODY)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{output:?}");
        let said = said(&output);
        assert_eq!(hint(&said), "sudo -E env \"PATH=$PATH\" bash", "{command}");
    }
    let exec = Command::new(&copy)
        .args(["exec", "pod", "--", "true"])
        .uid(NOBODY)
        .status()
        .unwrap();
    assert_eq!(exec.code(), Some(125));
}
