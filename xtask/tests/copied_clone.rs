//! A clone that was copied with its build folder is the clone that commands are about, not the one
//! in which the programs were compiled.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

#[test]
fn a_program_compiled_elsewhere_works_on_the_clone_it_is_run_in() {
    let clone = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = clone.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Cargo.toml", "[workspace]\nmembers = [\"xtask\"]\n");
    // A package without a rule for its dependencies, so that the check fails in one of the clones only.
    let package = "[package]\nname = \"stray-crate\"\nlicense = \"MIT\"\nedition = \"2024\"\n";
    write("xtask/Cargo.toml", package);
    write("xtask/src/main.rs", "fn main() {}\n");

    let own = std::env::current_exe().unwrap();
    let output = Command::new(own.with_file_name("../xtask"))
        .arg("check")
        .current_dir(clone.path().join("xtask/src"))
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("stray-crate has no rule"), "{output:?}");
}

#[test]
fn snapshots_are_those_of_the_clone_whose_tests_run() {
    // Cargo runs a test in its package's folder.
    let here = std::env::current_dir().unwrap();
    let snapshots = std::env::var_os("INSTA_WORKSPACE_ROOT").unwrap();
    let snapshots = fs::canonicalize(snapshots).unwrap();
    assert_eq!(Some(snapshots.as_path()), here.parent());
}
