//! The lab's kubectl, as its administrator.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use podid_lab::Lab;
use serde_json::Value;

pub(crate) struct Kubectl<'a>(&'a Lab);

impl<'a> Kubectl<'a> {
    pub(crate) fn of(lab: &'a Lab) -> Self {
        Self(lab)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.0.kubectl(arguments).unwrap()
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it writes, without the last line break.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--output=json"]].concat());
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn apply(&self, object: &Value) {
        let mut child = self
            .command(&["apply", "--filename=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(object.to_string().as_bytes()).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success(), "{object}");
    }

    /// What a server on a port of a pod answers to a request for `path`, by `port-forward`.
    pub(crate) fn through_port(&self, pod: &str, port: u16, path: &str) -> String {
        let mut forwarding = self
            .command(&["port-forward", pod, &format!(":{port}")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Open until the end: it writes of each connection. The first line is such as
        // `Forwarding from 127.0.0.1:41234 -> 10248`.
        let mut lines = BufReader::new(forwarding.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let local = line.split(' ').nth(2).unwrap();
        let answer = Command::new("curl")
            .args(["-sS", "--max-time", "20", &format!("http://{local}{path}")])
            .output();
        forwarding.kill().unwrap();
        forwarding.wait().unwrap();
        String::from_utf8(answer.unwrap().stdout).unwrap()
    }

    /// Waits until a pod ended in `phase`.
    pub(crate) fn wait_ended(&self, pod: &str, phase: &str) {
        let condition = format!("--for=jsonpath={{.status.phase}}={phase}");
        self.run(&["wait", &format!("pod/{pod}"), &condition, "--timeout=120s"]);
    }
}
