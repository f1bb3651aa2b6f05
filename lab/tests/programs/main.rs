//! Programs in a lab: `exec` and services. One lab for all of these tests; it ends with this
//! process. Needs root and the lab's programs; fails without them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod services;

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_lab::{Lab, Lifetime, NodeKind, Side, Target, UpOptions};

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        Lab::up(UpOptions {
            name: format!("t-programs-{}", std::process::id()),
            nodes: vec![NodeKind::Uniform, NodeKind::Vm],
            lifetime: Lifetime::Caller,
            ..UpOptions::default()
        })
        .unwrap()
    })
}

fn node() -> Target {
    Target::node("node-0")
}

fn shell(target: &Target, script: &str) -> Output {
    lab()
        .command(target, ["sh", "-c", script])
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn the_exit_code_is_the_programs() {
    let code = |script: &str| shell(&node(), script).status.code();
    assert_eq!(code("exit 0"), Some(0));
    assert_eq!(code("exit 7"), Some(7));
    assert_eq!(code("kill -9 $$"), Some(128 + 9));
    let missing = lab()
        .command(&node(), ["no-such-program"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(127));
    let nowhere = lab()
        .command(&Target::pod("default", "nobody"), ["true"])
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(125));
    let words = String::from_utf8(nowhere.stderr).unwrap();
    assert!(
        words.contains("pod default/nobody is not running in this lab"),
        "{words}"
    );
}

#[test]
fn input_output_and_directory_are_the_callers() {
    let here = tempfile::tempdir().unwrap();
    let mut child = lab()
        .command(&node(), ["sh", "-c", "pwd; cat; echo oops >&2"])
        .current_dir(here.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"through\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{}\nthrough", here.path().canonicalize().unwrap().display());
    assert_eq!(said(&output), expected);
    assert_eq!(output.stderr, b"oops\n");
}

#[test]
fn who_the_caller_is_in_azure_does_not_reach_a_program() {
    let variables = |command: &mut Command| {
        let printed = said(&command.output().unwrap());
        let azure = printed.lines().filter(|line| line.starts_with("AZURE_"));
        azure.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut command = lab().command(&node(), ["env"]);
    let named = ["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_ANYTHING"];
    let command = command.envs(named.map(|name| (name, "the caller's")));
    assert_eq!(variables(command), Vec::<String>::new());
    let mut command = lab().command(&node(), ["env", "AZURE_CLIENT_ID=its-own", "env"]);
    assert_eq!(variables(&mut command), ["AZURE_CLIENT_ID=its-own"]);
}

#[test]
fn a_shell_that_is_pointed_at_the_lab_does_not_become_the_operator() {
    let program = std::env::current_exe()
        .unwrap()
        .with_file_name("../podid-lab");
    let printed = Command::new(program)
        .args(["env", "--name", lab().name()])
        .output()
        .unwrap();
    let script = format!("{}\nenv", said(&printed));
    let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
    // Not shown when it fails: the environment of whoever runs this is theirs.
    let variables = said(&shell);
    let set = |start: &str| variables.lines().any(|line| line.starts_with(start));
    assert!(!set("AZURE_CLIENT_ID="), "the shell is the operator");
    assert!(
        !set("AZURE_TENANT_ID="),
        "the shell has the operator's tenant"
    );
    let operator = podid_lab::layout::OPERATOR_CLIENT_ID;
    assert!(set(&format!("PODID_CLIENT_ID={operator}")));
}

#[test]
fn each_target_has_its_network_and_names() {
    let address = |target: &Target| said(&shell(target, "hostname; cat /proc/net/fib_trie"));
    let first = address(&node());
    assert!(
        first.starts_with("node-0\n") && first.contains("10.200.0.10"),
        "{first}"
    );
    let second = address(&Target::node("node-1"));
    assert!(
        second.starts_with("node-1\n") && second.contains("10.200.0.11"),
        "{second}"
    );
    let control = address(&Target::ControlPlane);
    assert!(control.contains("10.200.0.1"), "{control}");
    let hosts = said(&shell(&node(), "cat /etc/hosts"));
    assert!(hosts.contains("10.200.0.1 management.azure.com"), "{hosts}");
    let cgroup = said(&shell(&node(), "cat /proc/self/cgroup"));
    assert!(cgroup.contains("/node-0/"), "{cgroup}");
    let first = said(&shell(&node(), "head -c 9 /proc/1/comm"));
    assert_eq!(first, "podid-lab", "/proc shows the lab's processes");
}

#[test]
fn the_lab_has_no_way_out() {
    for target in [node(), Target::ControlPlane] {
        let routes = said(&shell(&target, "cat /proc/net/route"));
        let default = |line: &&str| line.split_whitespace().nth(1) == Some("00000000");
        // A node's default route leads to the control plane, which has none.
        let allowed = usize::from(target == node());
        assert!(
            routes.lines().filter(default).count() <= allowed,
            "{target}: {routes}"
        );
    }
}

#[test]
fn the_real_names_lead_to_the_simulated_azure() {
    let metadata = "curl -sSf -H Metadata:true \
        'http://169.254.169.254/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text'";
    for (name, machine) in [
        (
            "node-0",
            "/virtualMachineScaleSets/nodes-vmss/virtualMachines/0",
        ),
        ("node-1", "/virtualMachines/node-1"),
    ] {
        let id = said(&shell(&Target::node(name), metadata));
        assert!(id.ends_with(machine), "{name}: {id}");
    }
    let arm = "curl -s -o /dev/null -w '%{http_code}' \
        'https://management.azure.com/subscriptions?api-version=2022-12-01'";
    assert_eq!(
        said(&shell(&node(), arm)),
        "401",
        "trusted, and asked who calls"
    );
}

#[test]
fn signals_are_passed_on() {
    let mut child = lab()
        .command(
            &node(),
            [
                "sh",
                "-c",
                "trap 'exit 42' TERM; echo up; while :; do sleep 1; done",
            ],
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert_eq!(line, "up\n");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn a_service_account_acts_from_either_side_with_its_own_rights() {
    let kubectl = lab().tools().unwrap().join("kubectl");
    let outside = lab()
        .service_account_kubeconfig("default", "default", Side::Outside)
        .unwrap();
    let who = Command::new(&kubectl)
        .args([
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.username}",
        ])
        .env("KUBECONFIG", &outside)
        .output()
        .unwrap();
    assert_eq!(said(&who), "system:serviceaccount:default:default");

    let inside = lab()
        .service_account_kubeconfig("default", "default", Side::Inside)
        .unwrap();
    let script = format!("KUBECONFIG={} kubectl get nodes", inside.display());
    let refused = shell(&node(), &script);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("is forbidden"), "{words}");
    assert!(said(&shell(&node(), "kubectl get nodes -o name")).contains("node/node-1"));
}
