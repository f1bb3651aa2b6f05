//! The same sources give the same images, wherever they are.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use podid_image::ShippedProgram;
use podid_tests::programs;

use crate::fixture::{Shipped, images, podid_image};

#[test]
fn a_build_in_another_folder_gives_the_same_digests() {
    let folder = tempfile::tempdir().unwrap();
    let output = podid_image(folder.path())
        .args(["--verify", "--output"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("every digest is the same"), "{said}");
    for file in [
        "images.json",
        "podid.cdx.json",
        "podid.tar",
        "podid-nmi.tar",
        "podid-operator.tar",
    ] {
        let same =
            fs::read(folder.path().join(file)).unwrap() == fs::read(images().join(file)).unwrap();
        assert!(same, "{file} differs from that of the first run");
    }
}

/// Copies what git knows of, or would add, and git's own folder.
fn copy_clone(to: &Path) {
    let clone = programs::repository();
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&clone)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let files = listed
        .stdout
        .split(|&byte| byte == 0)
        .filter(|file| !file.is_empty());
    let mut copy = Command::new("cp");
    copy.args(["--archive", "--parents", ".git"]);
    copy.args(
        files
            .map(std::ffi::OsStr::from_bytes)
            .filter(|file| clone.join(file).exists()),
    );
    let copied = copy.arg(to).current_dir(&clone).status().unwrap();
    assert!(copied.success());
}

#[test]
fn a_copied_clone_gives_the_same_image() {
    let (clone, output) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy_clone(clone.path());
    let built = podid_image(clone.path())
        .current_dir(clone.path())
        .args(["podid-nmi", "podid-operator", "podid", "--output"])
        .arg(output.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    for program in ShippedProgram::ALL {
        let index =
            fs::read_to_string(output.path().join(program.name()).join("index.json")).unwrap();
        assert!(index.contains(&Shipped::read(program).digest()), "{index}");
    }
}
