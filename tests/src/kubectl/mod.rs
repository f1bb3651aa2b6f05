//! kubectl in a lab, as its administrator.

mod wait;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use podid_lab::Lab;
use serde_json::Value;

/// The lab's kubectl. Its methods panic where kubectl fails: then the test has failed.
#[derive(Debug)]
pub struct Kubectl<'a>(&'a Lab);

#[allow(clippy::expect_used, clippy::panic)]
impl<'a> Kubectl<'a> {
    /// Of a lab that is up.
    #[must_use]
    pub fn of(lab: &'a Lab) -> Self {
        Self(lab)
    }

    /// Whatever kubectl says and however it ends.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("kubectl starts")
    }

    /// What it writes.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What it writes as JSON.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--output=json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// Applies an object.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub fn apply(&self, object: &Value) {
        let mut applying = self
            .command(&["apply", "--filename=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = applying.stdin.take().expect("a pipe");
        stdin
            .write_all(object.to_string().as_bytes())
            .expect("kubectl reads");
        drop(stdin);
        assert!(applying.wait().expect("kubectl ends").success(), "{object}");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.0.kubectl(arguments).expect("the lab's tools")
    }
}
