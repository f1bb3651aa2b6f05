//! The program, and the examples of its README.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that the program has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(args: &[&str]) -> Command {
    // Found beside this test program. `CARGO_BIN_EXE_azure-sim` would be the path at compile time,
    // which can be that of another clone with the same target folder.
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own.with_file_name("../azure-sim"));
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn it_prints_its_addresses_as_json_and_writes_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    let machine = crate::harness::instance(0);
    let mut running = Running(
        program(&[
            "--seed-file",
            "demo",
            "--json",
            "--admin",
            "127.0.0.1:0",
            "--ca-file",
            ca.to_str().unwrap(),
        ])
        .env("AZURE_SIM_IMDS", format!("127.0.0.1:0={machine}"))
        .spawn()
        .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["tls"].as_array().unwrap().len(), 3);
    assert_eq!(said["imds"][0]["machine"], machine);
    assert!(
        std::fs::read_to_string(&ca)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
}

#[test]
fn every_startup_error_is_reported_without_a_panic() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().to_string();
    for (args, expected) in [
        (&["--admin", "0.0.0.0:0"][..], "give a loopback address"),
        (&["--admin", &busy], "cannot listen on"),
        (
            &["--admin", "127.0.0.1:0", "--seed-file", "nowhere.yaml"],
            "cannot read the seed file nowhere.yaml",
        ),
        (&["--speed", "0"], "expected a number above 0"),
        (
            &["--admin", "127.0.0.1:0", "--imds", "127.0.0.1:0=/nothing"],
            "`/nothing`",
        ),
    ] {
        let output = program(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(expected),
            "{args:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// Every `curl` of the README's admin section is run against a simulator.
#[tokio::test]
async fn the_readmes_admin_examples_work() {
    let lab = crate::harness::Lab::demo().await;
    let readme = include_str!("../../README.md");
    let section = readme.split("## Admin API").nth(1).unwrap();
    let commands: Vec<_> = section.lines().filter(|l| l.starts_with("curl ")).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let command = command
            .replace(
                "http://127.0.0.1:8170",
                &format!("http://{}", lab.sim.admin_addr()),
            )
            .replacen("curl ", "curl -sS --fail-with-body ", 1);
        let output = tokio::process::Command::new("sh")
            .args(["-c", &command])
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{command}: {said} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
