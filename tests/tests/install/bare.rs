//! The programs run with nothing but what is in their image.

use std::process::Output;

use podid_image::ShippedProgram;

use crate::fixture::{Shipped, images, summary};

/// Runs the program of an image in the files of that image, as its user.
fn run(program: ShippedProgram, arguments: &[&str]) -> Output {
    let image = Shipped::read(program);
    let folder = tempfile::tempdir().unwrap();
    image.unpack(folder.path());
    let mut command = image.command(folder.path());
    command.args(arguments).output().unwrap()
}

#[test]
fn every_program_says_what_it_was_built_from() {
    for program in ShippedProgram::ALL {
        let output = run(program, &["--version"]);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let summary = summary(&images(), program);
        let revision = summary["revision"].as_str().unwrap();
        let (commit, mark) = revision.split_at(40);
        let wanted = format!(
            "{} {} (commit {}{mark}, image layer {})\n",
            program.name(),
            podid_runtime::build_info::RELEASE,
            &commit[..12],
            summary["layer"].as_str().unwrap(),
        );
        assert_eq!(said, wanted);
    }
}

#[test]
fn the_layer_that_a_program_prints_is_the_one_in_its_image() {
    for program in ShippedProgram::ALL {
        let image = Shipped::read(program);
        let layer = &image.config.rootfs().diff_ids()[0];
        assert_eq!(summary(&images(), program)["layer"], layer.as_str());
        assert_eq!(summary(&images(), program)["digest"], image.digest());
    }
}

#[test]
fn a_daemon_without_a_cluster_says_so_and_ends() {
    let args = ["--credential=managed-identity", "--admin-addr=127.0.0.1:0"];
    let output = run(ShippedProgram::PodidOperator, &args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("no way to the API server was found"),
        "{said}"
    );
    // The log says first of all which image this is.
    let layer = summary(&images(), ShippedProgram::PodidOperator)["layer"].clone();
    assert!(
        said.lines()
            .next()
            .is_some_and(|line| line.contains(layer.as_str().unwrap())),
        "{said}"
    );
}
